"""mmdet's detectors as modules that return boxes, or the features where they cannot."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .boxes import Detections, limits_of
from .dense_boxes import DenseBoxes
from .detector_support import obstacle
from .models import ExportedFeatures, ExportedModel
from .roi_boxes import RoIBoxes


class ExportedDetector(ExportedModel):
    """A detector with anchors or points, in one stage or, such as Faster R-CNN, in two; of one image.

    ``boxes`` (N, 4) float32, xyxy in pixels of the given image; ``scores`` (N,) float32, highest
    first; ``labels`` (N,) int64. N is 0 where nothing is found.
    """

    task = 'detection'
    batched = False

    def __init__(self, model: nn.Module, fixed: int | None = None) -> None:
        super().__init__(model, fixed)
        if hasattr(model, 'roi_head'):
            self.dense, self.rois = DenseBoxes(model.rpn_head), RoIBoxes(model.roi_head)
            self.highest_opset = 21  # RoiAlign of 22 is in no ONNX Runtime up to 1.32
        else:
            self.dense, self.rois = DenseBoxes(model.bbox_head), None

    def result_names(self) -> list[str]:
        return list(Detections._fields)

    def finish(self, features: tuple[Tensor, ...], image: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        """Boxes, scores and labels.

        Raises:
            ValueError: there is more than one image.
        """
        if image.shape[0] != 1:
            raise ValueError(f'image must be a single one to get boxes, got {image.shape[0]}')
        if self.model.with_neck:
            features = self.model.neck(features)
        limits = limits_of(image)
        found = self.dense(features, limits)
        return tuple(found if self.rois is None else self.rois(features, found.boxes, limits))


def exported_detector(model: Any, fixed: int | None = None) -> ExportedModel:
    """The exported form of a detector: its boxes, or its features and why.

    Raises:
        TypeError: its backbone is no IterativeResNet.
    """
    reason = obstacle(model)
    if reason is not None:
        return ExportedFeatures(model, fixed, reason)
    return ExportedDetector(model, fixed)
