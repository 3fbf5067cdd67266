"""mmdet's detectors as modules that return boxes, or the features where they cannot, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from mmdet.models.detectors import DetectionTransformer
from torch import Tensor, nn

from ...core.adaptive import AdaptiveModule
from ...export import ExportForm
from ..traces import iterative_modules
from .boxes import Detections, dense_boxes, limits_of, query_boxes
from .models import ExportedModel, Run, acts_as
from .roi_boxes import roi_boxes, roi_masks, stages

CODERS = ('mmdet.DeltaXYWHBBoxCoder', 'mmdet.DistancePointBBoxCoder')
GENERATORS = ('mmdet.AnchorGenerator', 'mmdet.MlvlPointGenerator')
BY_FEATURES = ('predict_by_feat', '_predict_by_feat_single')
DENSE = ('predict', '_bbox_post_process', *BY_FEATURES)
PRIORS = ('grid_priors', 'single_level_grid_priors')
EXTRACTOR = ('forward', 'map_roi_levels')
ROI_HEAD = ('predict', 'predict_bbox', '_bbox_forward', 'predict_mask', '_mask_forward')
NMS = {'type', 'iou_threshold', 'class_agnostic', 'split_thr'}


class ExportedDetector(ExportedModel):
    """A detector with anchors, points or queries, in one stage or more; of one image.

    ``boxes`` (N, 4) float32, xyxy in pixels of the given image; ``scores`` (N,) float32, highest
    first; ``labels`` (N,) int64. N is 0 where nothing is found. ``masks`` (N, h, w) float32 where it
    predicts them: probabilities on a grid over each box. ``roi_iterations`` (R, K) int64 where its
    regions halt on their own: of each proposal, highest score first; ``macs`` has theirs, too.
    """

    task = 'detection'
    batched = False

    def __init__(self, model: nn.Module, fixed: int | None = None) -> None:
        super().__init__(model, fixed)
        self.result_names = [*Detections._fields]
        self.regions = None
        head: Any = getattr(model, 'roi_head', None)
        if head is not None:
            self.highest_opset = 21  # RoiAlign of 22 is in no ONNX Runtime up to 1.32
            if head.with_mask:
                self.mask_threshold = float(head.test_cfg.mask_thr_binary)
                self.result_names.append('masks')
            if head.with_shared_head and isinstance(head.shared_head, AdaptiveModule):
                proposals = int(model.rpn_head.test_cfg.max_per_img)
                self.regions = ExportForm(head.shared_head, fixed, proposals)
                self.forms.append(self.regions)
                self.result_names.append('roi_iterations')

    def results(self, image: Tensor, run: Run) -> tuple[Tensor, ...]:
        if image.shape[0] != 1:
            raise ValueError(f'image must be a single one to get boxes, got {image.shape[0]}')
        body = run(self.form, self.preparation(image))
        features, limits = self.after_neck(body.features), limits_of(image)
        head, masks, of_regions = getattr(self.model, 'roi_head', None), [], []

        def shared(x: Tensor) -> Tensor:
            if self.regions is None:
                return head.shared_head(x) if head.with_shared_head else x
            of_regions.append(run(self.regions, x))
            return of_regions[0].features[0]

        if isinstance(self.model, DetectionTransformer):
            found = query_boxes(self.model, features, limits)
        elif head is None:
            found = dense_boxes(self.model.bbox_head, features, limits)
        else:
            proposals = dense_boxes(self.model.rpn_head, features, limits).boxes
            found = roi_boxes(head, features, proposals, limits, shared)
            masks = [roi_masks(head, features, found)] if head.with_mask else []
        macs = sum((call.macs for call in of_regions), body.macs)
        return (*found, *masks, *(call.iterations for call in of_regions), body.iterations, macs)


def obstacles(model: Any) -> Iterator[str]:
    """Why the boxes of an mmdet detector cannot be exported."""
    if acts_as(model, 'mmdet.TwoStageDetector', 'predict') and model.with_rpn:
        yield from _of_dense('rpn_head', model.rpn_head, 'mmdet.RPNHead')
        yield from _of_roi_head(model.roi_head)
        if len({(m.epsilon, m.budget.threshold) for m in iterative_modules(model)}) > 1:
            yield 'roi_head: it halts at another threshold than the backbone'
    elif acts_as(model, 'mmdet.DETR', 'predict', 'forward_transformer', 'pre_transformer'):
        yield from _of_part('bbox_head', model.bbox_head, BY_FEATURES, 'mmdet.DETRHead')
        if getattr(model.data_preprocessor, 'pad_size_divisor', 1) > 1:
            yield 'data_preprocessor: it pads images, which the transformer must know'
    elif acts_as(model, 'mmdet.SingleStageDetector', 'predict'):
        yield from _of_dense('bbox_head', model.bbox_head, 'mmdet.BaseDenseHead')
    else:
        yield f'{type(model).__name__} is no single-stage detector, DETR or one with RPN and RoIs'


def _of_part(name: str, part: Any, methods: Sequence[str], *bases: str) -> Iterator[str]:
    if not any(acts_as(part, base, *methods) for base in bases):
        yield f'{name}: {type(part).__name__} does not act as {" or ".join(bases)}'


def _of_dense(name: str, head: Any, base: str) -> Iterator[str]:
    yield from _of_part(name, head, DENSE, base)
    yield from _of_part(name, head.prior_generator, PRIORS, *GENERATORS)
    if getattr(head.loss_cls, 'custom_cls_channels', False):
        yield f'{name}: {type(head.loss_cls).__name__} has its own scores'
    yield from _of_coder(name, head.bbox_coder)
    yield from _of_settings(name, head.test_cfg, 'nms_pre', 'max_per_img')


def _of_roi_head(head: Any) -> Iterator[str]:
    cascade = acts_as(head, 'mmdet.CascadeRoIHead', '_refine_roi', *ROI_HEAD)
    if not cascade:
        yield from _of_part('roi_head', head, ROI_HEAD, 'mmdet.StandardRoIHead')
    if head.with_shared_head and (head.with_mask or cascade):
        yield 'roi_head: masks or stages behind a shared head'
    extractors = [head.bbox_roi_extractor, *([head.mask_roi_extractor] if head.with_mask else [])]
    for extractor in chain.from_iterable(map(stages, extractors)):
        yield from _of_part('roi_head', extractor, EXTRACTOR, 'mmdet.SingleRoIExtractor')
        for layer in extractor.roi_layers:
            yield from _of_part('roi_head', layer, ['forward'], 'mmcv.RoIAlign')
            if layer.pool_mode != 'avg':
                yield 'roi_head: its RoIAlign does not average'
    for boxes in stages(head.bbox_head):
        yield from _of_part('roi_head', boxes, BY_FEATURES, 'mmdet.BBoxHead')
        if boxes.custom_cls_channels or not (boxes.with_cls and boxes.with_reg):
            yield f'roi_head: {type(boxes).__name__} has no scores, its own ones or no boxes'
        yield from _of_coder('roi_head', boxes.bbox_coder)
    for masks in stages(head.mask_head) if head.with_mask else []:
        yield from _of_part('roi_head', masks, BY_FEATURES, 'mmdet.FCNMaskHead')
    yield from _of_settings('roi_head', head.test_cfg, 'max_per_img')


def _of_coder(name: str, coder: Any) -> Iterator[str]:
    yield from _of_part(name, coder, ['decode'], *CODERS)
    if coder.use_box_type:
        yield f'{name}: {type(coder).__name__} has a type of boxes'


def _of_settings(name: str, test_cfg: Any, *positive: str) -> Iterator[str]:
    for key in positive:
        if test_cfg.get(key, -1) <= 0:
            yield f'{name}: test_cfg has no {key}'
    nms = test_cfg.get('nms') or {}
    if nms.get('type') != 'nms' or not NMS.issuperset(nms):
        yield f'{name}: test_cfg.nms must be of type nms with {sorted(NMS)}, got {dict(nms)}'
