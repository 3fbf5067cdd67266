"""mmdet's detectors as modules that return boxes, or the features where they cannot."""

from __future__ import annotations

from typing import Any

from mmdet.models.detectors import DetectionTransformer
from torch import Tensor, nn

from ...export import ExportForm, ExportOutputs
from .boxes import Detections, limits_of
from .dense_boxes import DenseBoxes, QueryBoxes
from .detector_support import obstacle
from .models import ExportedModel, Run
from .roi_boxes import RoIBoxes


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
        self.rois = None
        if hasattr(model, 'roi_head'):
            self.dense = DenseBoxes(model.rpn_head)
            proposals = int(self.dense.test_cfg.max_per_img)
            self.rois = RoIBoxes(model.roi_head, proposals, fixed)
            self.mask_threshold = self.rois.mask_threshold
            self.highest_opset = 21  # RoiAlign of 22 is in no ONNX Runtime up to 1.32
        elif isinstance(model, DetectionTransformer):
            self.dense = QueryBoxes(model)
        else:
            self.dense = DenseBoxes(model.bbox_head)
        masks = ['masks'] if self.mask_threshold is not None else []
        regions = ['roi_iterations'] if len(self.forms) > 1 else []
        self.result_names = [*Detections._fields, *masks, *regions]

    @property
    def forms(self) -> list[ExportForm]:
        return [self.form, *(self.rois.forms if self.rois else [])]

    def results(self, image: Tensor, run: Run) -> tuple[Tensor, ...]:
        if image.shape[0] != 1:
            raise ValueError(f'image must be a single one to get boxes, got {image.shape[0]}')
        calls: list[ExportOutputs] = []

        def features_of(form: ExportForm, x: Tensor) -> tuple[Tensor, ...]:
            calls.append(run(form, x))
            return calls[-1].features

        features = self.after_neck(features_of(self.form, self.preparation(image)))
        limits = limits_of(image)
        results = found = self.dense(features, limits)
        if self.rois is not None:
            found = self.rois(features, found.boxes, limits, features_of)
            masks = [] if self.mask_threshold is None else [self.rois.masks(features, found)]
            results = (*found, *masks)
        body, *of_regions = calls
        macs = sum((call.macs for call in of_regions), body.macs)
        return (*results, *(call.iterations for call in of_regions), body.iterations, macs)


def exported_detector(model: Any, fixed: int | None = None) -> ExportedModel:
    """Its boxes, or its features and why."""
    reason = obstacle(model)
    return ExportedModel(model, fixed, reason) if reason else ExportedDetector(model, fixed)
