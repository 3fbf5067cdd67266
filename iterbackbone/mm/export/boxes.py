"""What mmdet does to boxes, (N, 4) float32, xyxy in pixels, by operators that can be traced.

mmdet's own functions branch on numbers of boxes and call mmcv's compiled operators.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torchvision
from mmdet.models.task_modules.coders import DistancePointBBoxCoder
from torch import Tensor

HIGHEST_RATIO = abs(math.log(16 / 1000))  # of widths and heights to an anchor's: mmdet's default


class Detections(NamedTuple):
    """Boxes, best first after :func:`suppressed`."""

    boxes: Tensor  # (N, 4) float32
    scores: Tensor  # (N,) float32
    labels: Tensor  # (N,) int64, classes; levels among an RPN's proposals

    def take(self, index: Tensor) -> Detections:
        return Detections(*(each[index] for each in self))


def limits_of(image: Tensor) -> Tensor:
    """(4,) float32: width, height, width, height of an image, (..., H, W)."""
    height, width = (torch.tensor(length, dtype=torch.float32) for length in image.shape[-2:])
    return torch.stack((width, height)).repeat(2).to(image.device)


def decoded(coder: Any, anchors: Tensor, deltas: Tensor, limits: Tensor) -> Tensor:
    """Boxes of mmdet's DeltaXYWHBBoxCoder or DistancePointBBoxCoder, inside :func:`limits_of`.

    The predicted deltas, (N, 4), refer to anchors, (N, 4), or as distances to points, (N, 2).
    """
    if isinstance(coder, DistancePointBBoxCoder):
        boxes = torch.cat((anchors - deltas[:, :2], anchors + deltas[:, 2:]), dim=1)
    else:
        boxes = _shifted(coder, anchors, deltas)
    return torch.minimum(boxes.clamp(min=0), limits) if coder.clip_border else boxes


def _shifted(coder: Any, anchors: Tensor, deltas: Tensor) -> Tensor:
    deltas = deltas * deltas.new_tensor(coder.stds) + deltas.new_tensor(coder.means)
    center, size = (anchors[:, :2] + anchors[:, 2:]) * 0.5, anchors[:, 2:] - anchors[:, :2]
    shift, growth = size * deltas[:, :2], deltas[:, 2:].clamp(max=HIGHEST_RATIO)
    if coder.add_ctr_clamp:
        shift = shift.clamp(-coder.ctr_clamp, coder.ctr_clamp)
    else:
        growth = growth.clamp(min=-HIGHEST_RATIO)
    center, half = center + shift, size * growth.exp() * 0.5
    return torch.cat((center - half, center + half), dim=1)


def large_enough(found: Detections, smallest: float) -> Detections:
    """Those with both sides longer than ``smallest``; all if it is negative."""
    if smallest < 0:
        return found
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    return found.take(where((sides > smallest).all(dim=1)))


def suppressed(found: Detections, test_cfg: Any) -> Detections:
    """Without those that overlap a better of their label, by ``nms`` and ``max_per_img``."""
    boxes = found.boxes
    if not test_cfg.nms.get('class_agnostic', False):  # labels lie apart, as in mmcv's batched_nms
        highest = torch.cat((boxes.flatten(), boxes.new_zeros(1))).max()
        boxes = boxes + (found.labels.to(boxes) * (highest + 1.0)).unsqueeze(1)
    kept = torchvision.ops.nms(boxes, found.scores, float(test_cfg.nms.iou_threshold))
    return found.take(kept[: test_cfg.max_per_img])


def where(mask: Tensor) -> Tensor:
    """Indices (M,) int64 at which ``mask``, (N,) bool, holds."""
    return mask.nonzero().squeeze(1)
