"""Whose boxes can be exported: detectors that predict by mmdet's own functions, in standard ways."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from mmcv.ops import RoIAlign
from mmdet.models.dense_heads import DETRHead, RPNHead
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import DETR, SingleStageDetector, TwoStageDetector
from mmdet.models.roi_heads import CascadeRoIHead, SingleRoIExtractor, StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder, DistancePointBBoxCoder
from mmdet.models.task_modules.prior_generators import AnchorGenerator, MlvlPointGenerator

from ..traces import iterative_modules
from .models import unchanged
from .roi_boxes import stages

DENSE = ('predict', 'predict_by_feat', '_predict_by_feat_single', '_bbox_post_process')
PRIORS = ('grid_priors', 'single_level_grid_priors')
ROI_HEAD = ('predict', 'predict_bbox', '_bbox_forward', 'predict_mask', '_mask_forward')
BY_FEATURES = ('predict_by_feat', '_predict_by_feat_single')


def obstacle(model: Any) -> str | None:
    """Why the boxes of an mmdet detector cannot be exported; None if they can."""
    return next(_obstacles(model), None)


def _obstacles(model: Any) -> Iterator[str]:
    if unchanged(TwoStageDetector, model, 'predict') and model.with_rpn:
        yield from _of_dense('rpn_head', model.rpn_head, RPNHead)
        yield from _of_roi_head(model.roi_head)
        if len({(m.epsilon, m.budget.threshold) for m in iterative_modules(model)}) > 1:
            yield 'roi_head: it halts at another threshold than the backbone'
    elif unchanged(DETR, model, 'predict', 'forward_transformer', 'pre_transformer'):
        if not unchanged(DETRHead, model.bbox_head, *BY_FEATURES):
            yield f'bbox_head: {type(model.bbox_head).__name__} predicts in its own way'
        if getattr(model.data_preprocessor, 'pad_size_divisor', 1) > 1:
            yield 'data_preprocessor: it pads images, which the transformer must know'
    elif unchanged(SingleStageDetector, model, 'predict'):
        yield from _of_dense('bbox_head', model.bbox_head, BaseDenseHead)
    else:
        yield f'{type(model).__name__} is no single-stage detector, DETR or one with RPN and RoIs'


def _of_dense(name: str, head: Any, base: type) -> Iterator[str]:
    if not unchanged(base, head, *DENSE):
        yield f'{name}: {type(head).__name__} predicts in its own way'
    elif not any(
        unchanged(kind, head.prior_generator, *PRIORS) for kind in (AnchorGenerator, MlvlPointGenerator)
    ):
        made = type(head.prior_generator).__name__
        yield f'{name}: {made} makes no anchors or points as AnchorGenerator or MlvlPointGenerator does'
    elif getattr(head.loss_cls, 'custom_cls_channels', False):
        yield f'{name}: {type(head.loss_cls).__name__} has its own scores'
    elif head.test_cfg.get('nms_pre', -1) <= 0:
        yield f'{name}: test_cfg has no nms_pre'
    yield from _of_coder(name, head.bbox_coder)
    yield from _of_nms(name, head.test_cfg)


def _of_roi_head(head: Any) -> Iterator[str]:
    cascade = unchanged(CascadeRoIHead, head, '_refine_roi', *ROI_HEAD)
    if not cascade and not unchanged(StandardRoIHead, head, *ROI_HEAD):
        yield f'roi_head: {type(head).__name__} predicts in its own way'
    if head.with_shared_head and (head.with_mask or cascade):
        yield 'roi_head: masks or stages behind a shared head'
    parts = [head.bbox_roi_extractor, *([head.mask_roi_extractor] if head.with_mask else [])]
    for extractor in chain.from_iterable(map(stages, parts)):
        yield from _of_extractor(extractor)
    for boxes in stages(head.bbox_head):
        if not unchanged(BBoxHead, boxes, *BY_FEATURES) or boxes.custom_cls_channels:
            yield f'roi_head: {type(boxes).__name__} predicts in its own way'
        if not (boxes.with_cls and boxes.with_reg):
            yield f'roi_head: {type(boxes).__name__} has no scores or no boxes'
        yield from _of_coder('roi_head', boxes.bbox_coder)
    for masks in stages(head.mask_head) if head.with_mask else []:
        if not unchanged(FCNMaskHead, masks, *BY_FEATURES):
            yield f'roi_head: {type(masks).__name__} predicts in its own way'
    yield from _of_nms('roi_head', head.test_cfg)


def _of_extractor(extractor: Any) -> Iterator[str]:
    if not unchanged(SingleRoIExtractor, extractor, 'forward', 'map_roi_levels'):
        yield f'roi_head: {type(extractor).__name__} is no SingleRoIExtractor'
    for layer in extractor.roi_layers:
        if type(layer) is not RoIAlign or layer.pool_mode != 'avg':
            yield f'roi_head: {type(layer).__name__} is no RoIAlign that averages'


def _of_coder(name: str, coder: Any) -> Iterator[str]:
    known = (DeltaXYWHBBoxCoder, DistancePointBBoxCoder)
    if not any(unchanged(kind, coder, 'decode') for kind in known) or coder.use_box_type:
        yield f'{name}: {type(coder).__name__} is no {" or ".join(kind.__name__ for kind in known)}'


def _of_nms(name: str, test_cfg: Any) -> Iterator[str]:
    if test_cfg.get('max_per_img', -1) <= 0:
        yield f'{name}: test_cfg has no max_per_img'
    nms = test_cfg.get('nms') or {}
    known = {'type', 'iou_threshold', 'class_agnostic', 'split_thr'}
    if nms.get('type') != 'nms' or not known.issuperset(nms):
        yield f'{name}: test_cfg.nms must be of type nms with {sorted(known)}, got {dict(nms)}'
