"""Whose boxes can be exported: detectors that predict by mmdet's own functions, in standard ways."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from ..traces import iterative_modules
from .models import acts_as
from .roi_boxes import stages

CODERS = ('DeltaXYWHBBoxCoder', 'DistancePointBBoxCoder')
BY_FEATURES = ('predict_by_feat', '_predict_by_feat_single')
DENSE = ('predict', '_bbox_post_process', *BY_FEATURES)
PRIORS = ('grid_priors', 'single_level_grid_priors')
ROI_HEAD = ('predict', 'predict_bbox', '_bbox_forward', 'predict_mask', '_mask_forward')
NMS = {'type', 'iou_threshold', 'class_agnostic', 'split_thr'}


def obstacle(model: Any) -> str | None:
    """Why the boxes of an mmdet detector cannot be exported; None if they can."""
    return next(_obstacles(model), None)


def _obstacles(model: Any) -> Iterator[str]:
    if acts_as(model, 'mmdet.TwoStageDetector', 'predict') and model.with_rpn:
        yield from _of_dense('rpn_head', model.rpn_head, 'RPNHead')
        yield from _of_roi_head(model.roi_head)
        if len({(m.epsilon, m.budget.threshold) for m in iterative_modules(model)}) > 1:
            yield 'roi_head: it halts at another threshold than the backbone'
    elif acts_as(model, 'mmdet.DETR', 'predict', 'forward_transformer', 'pre_transformer'):
        yield from _of_part('bbox_head', model.bbox_head, ['DETRHead'], BY_FEATURES)
        if getattr(model.data_preprocessor, 'pad_size_divisor', 1) > 1:
            yield 'data_preprocessor: it pads images, which the transformer must know'
    elif acts_as(model, 'mmdet.SingleStageDetector', 'predict'):
        yield from _of_dense('bbox_head', model.bbox_head, 'BaseDenseHead')
    else:
        yield f'{type(model).__name__} is no single-stage detector, DETR or one with RPN and RoIs'


def _of_part(name: str, part: Any, bases: Any, methods: Any, library: str = 'mmdet') -> Iterator[str]:
    if not any(acts_as(part, f'{library}.{base}', *methods) for base in bases):
        yield f'{name}: {type(part).__name__} does not act as {" or ".join(bases)}'


def _of_dense(name: str, head: Any, base: str) -> Iterator[str]:
    yield from _of_part(name, head, [base], DENSE)
    yield from _of_part(name, head.prior_generator, ['AnchorGenerator', 'MlvlPointGenerator'], PRIORS)
    if getattr(head.loss_cls, 'custom_cls_channels', False):
        yield f'{name}: {type(head.loss_cls).__name__} has its own scores'
    yield from _of_coder(name, head.bbox_coder)
    yield from _of_settings(name, head.test_cfg, 'nms_pre', 'max_per_img')


def _of_roi_head(head: Any) -> Iterator[str]:
    cascade = acts_as(head, 'mmdet.CascadeRoIHead', '_refine_roi', *ROI_HEAD)
    if not cascade:
        yield from _of_part('roi_head', head, ['StandardRoIHead'], ROI_HEAD)
    if head.with_shared_head and (head.with_mask or cascade):
        yield 'roi_head: masks or stages behind a shared head'
    extractors = [head.bbox_roi_extractor, *([head.mask_roi_extractor] if head.with_mask else [])]
    for extractor in chain.from_iterable(map(stages, extractors)):
        yield from _of_part(
            'roi_head', extractor, ['SingleRoIExtractor'], ['forward', 'map_roi_levels']
        )
        for layer in extractor.roi_layers:
            yield from _of_part('roi_head', layer, ['RoIAlign'], ['forward'], 'mmcv')
            if layer.pool_mode != 'avg':
                yield 'roi_head: its RoIAlign does not average'
    for boxes in stages(head.bbox_head):
        yield from _of_part('roi_head', boxes, ['BBoxHead'], BY_FEATURES)
        if boxes.custom_cls_channels or not (boxes.with_cls and boxes.with_reg):
            yield f'roi_head: {type(boxes).__name__} has no scores, its own ones or no boxes'
        yield from _of_coder('roi_head', boxes.bbox_coder)
    for masks in stages(head.mask_head) if head.with_mask else []:
        yield from _of_part('roi_head', masks, ['FCNMaskHead'], BY_FEATURES)
    yield from _of_settings('roi_head', head.test_cfg, 'max_per_img')


def _of_coder(name: str, coder: Any) -> Iterator[str]:
    yield from _of_part(name, coder, CODERS, ['decode'])
    if coder.use_box_type:
        yield f'{name}: {type(coder).__name__} has a type of boxes'


def _of_settings(name: str, test_cfg: Any, *positive: str) -> Iterator[str]:
    for key in positive:
        if test_cfg.get(key, -1) <= 0:
            yield f'{name}: test_cfg has no {key}'
    nms = test_cfg.get('nms') or {}
    if nms.get('type') != 'nms' or not NMS.issuperset(nms):
        yield f'{name}: test_cfg.nms must be of type nms with {sorted(NMS)}, got {dict(nms)}'
