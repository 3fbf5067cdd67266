"""mmdet's detectors as modules that return boxes, or the features where they cannot."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .boxes import Detections, limits_of, suppressed
from .dense_boxes import DenseBoxes
from .detector_support import obstacle
from .models import ExportedFeatures, ExportedModel
from .roi_boxes import RoIBoxes


class ExportedDetector(ExportedModel):
    """Base of those with ``boxes``, ``scores`` and ``labels``, of a single image.

    ``boxes`` (N, 4) float32, xyxy in pixels of the given image; ``scores`` (N,) float32, highest
    first; ``labels`` (N,) int64. N is 0 where nothing is found.
    """

    task = 'detection'
    batched = False

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
        return tuple(self.detect(features, limits_of(image)))

    def detect(self, features: tuple[Tensor, ...], limits: Tensor) -> Detections:
        """From the neck's features.

        Args:
            features: (1, C, H_k, W_k) each.
            limits: Of :func:`~iterbackbone.mm.export.boxes.limits_of`.
        """
        raise NotImplementedError


class ExportedDenseDetector(ExportedDetector):
    """RetinaNet and other single-stage detectors with anchors."""

    def __init__(self, model: nn.Module, fixed: int | None = None) -> None:
        super().__init__(model, fixed)
        self.test_cfg = model.bbox_head.test_cfg
        self.dense = DenseBoxes(model.bbox_head, self.test_cfg)

    def detect(self, features: tuple[Tensor, ...], limits: Tensor) -> Detections:
        return suppressed(self.dense(features, limits), self.test_cfg)


class ExportedTwoStageDetector(ExportedDetector):
    """Faster R-CNN."""

    highest_opset = 21  # RoiAlign of 22 is in no ONNX Runtime up to 1.32

    def __init__(self, model: nn.Module, fixed: int | None = None) -> None:
        super().__init__(model, fixed)
        self.rpn_cfg, self.roi_cfg = model.rpn_head.test_cfg, model.roi_head.test_cfg
        self.dense = DenseBoxes(model.rpn_head, self.rpn_cfg)
        self.rois = RoIBoxes(model.roi_head)

    def detect(self, features: tuple[Tensor, ...], limits: Tensor) -> Detections:
        proposals = suppressed(self.dense.proposals(features, limits), self.rpn_cfg)
        found = self.rois(features, proposals.boxes, limits)
        return suppressed(found, self.roi_cfg)


def exported_detector(model: Any, fixed: int | None = None) -> ExportedModel:
    """The exported form of a detector: its boxes, or its features and why.

    Raises:
        TypeError: its backbone is no IterativeResNet.
    """
    found = obstacle(model)
    if found is not None:
        return ExportedFeatures(model, fixed, found)
    two_stages = hasattr(model, 'roi_head')
    return (ExportedTwoStageDetector if two_stages else ExportedDenseDetector)(model, fixed)
