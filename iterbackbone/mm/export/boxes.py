"""The boxes of mmdet's heads but those of regions, (N, 4) float32, xyxy in pixels, as can be traced.

mmdet's own functions branch on numbers of boxes and call mmcv's compiled operators.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torchvision
from mmdet.models.dense_heads import RPNHead
from mmdet.models.task_modules.coders import DistancePointBBoxCoder
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from torch import Tensor

from ...core.adaptive import is_exporting

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


def suppressed(found: Detections, test_cfg: Any) -> Detections:
    """Without those that overlap a better of their label, by ``nms`` and ``max_per_img``."""
    boxes = found.boxes
    if not test_cfg.nms.get('class_agnostic', False):  # labels lie apart, as in mmcv's batched_nms
        highest = torch.cat((boxes.flatten(), boxes.new_zeros(1))).max()
        boxes = boxes + (found.labels.to(boxes) * (highest + 1.0)).unsqueeze(1)
    kept = torchvision.ops.nms(boxes, found.scores, float(test_cfg.nms.iou_threshold))
    return found.take(kept[: test_cfg.max_per_img])


def dense_boxes(head: Any, features: tuple[Tensor, ...], limits: Tensor) -> Detections:
    """``predict`` of an AnchorHead or FCOSHead for a single image; an RPNHead's labels are levels.

    From the neck's ``features``, (1, C, H_k, W_k), and :func:`limits_of` the image.
    """
    cfg = head.test_cfg
    classes = head.cls_out_channels - (not head.use_sigmoid_cls)  # without the background
    levels = []
    for k, (scores, deltas, anchors, factors) in enumerate(_levels(head, features)):
        scores, index = best(scores.flatten(), int(cfg.nms_pre))
        if isinstance(head, RPNHead):
            place, label = index, torch.full_like(index, k)
        else:
            above = (scores > float(cfg.get('score_thr', 0))).nonzero().squeeze(1)
            scores, index = scores[above], index[above]
            place, label = index // classes, index % classes
        if factors is not None:
            scores = scores * factors[place]
        boxes = decoded(head.bbox_coder, anchors[place], deltas[place], limits)
        levels.append(Detections(boxes, scores, label))
    found = Detections(*(torch.cat(parts) for parts in zip(*levels, strict=True)))
    if (smallest := float(cfg.get('min_bbox_size', -1))) >= 0:
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        found = found.take((sides > smallest).all(dim=1).nonzero().squeeze(1))
    return suppressed(found, cfg)


def _levels(head: Any, features: tuple[Tensor, ...]) -> Iterator[tuple[Any, ...]]:
    """Scores (N, classes), deltas (N, 4), anchors (N, 4) or points (N, 2), factors (N,) or None."""
    logits, deltas, *factors = head(features)
    sizes = [level.shape[-2:] for level in logits]
    anchors = head.prior_generator.grid_priors(sizes, logits[0].dtype, logits[0].device)
    for k, level in enumerate(logits):
        level = _rows(level, head.cls_out_channels)
        scores = level.sigmoid() if head.use_sigmoid_cls else level.softmax(-1)[:, :-1]
        factor = _rows(factors[0][k], 1).flatten().sigmoid() if factors else None
        yield scores, _rows(deltas[k], 4), anchors[k], factor


def _rows(level: Tensor, columns: int) -> Tensor:
    """(1, A * columns, H, W) -> (H * W * A, columns)."""
    return level[0].permute(1, 2, 0).reshape(-1, columns)


def best(scores: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The ``most`` highest of (N,), or all if fewer, highest first, and their indices."""
    most = torch.sym_min(scores.shape[0], most)
    if is_exporting():
        scores, index = scores.topk(most)  # ONNX's takes the first of equals, torch's any
    else:
        scores, index = scores.sort(descending=True, stable=True)
    return scores[:most], index[:most]


def query_boxes(model: Any, features: tuple[Tensor, ...], limits: Tensor) -> Detections:
    """Of mmdet's DETR, behind the neck, for a single image without padding; all as above."""
    head = model.bbox_head
    whole = DetDataSample(metainfo=dict(batch_input_shape=(1, 1), img_shape=(1, 1)))  # no padding
    logits, boxes = head(**model.forward_transformer(features, [whole]))
    logits, boxes = logits[-1, 0], boxes[-1, 0]  # of the last layer
    most = head.test_cfg.get('max_per_img', boxes.shape[0])
    if head.loss_cls.use_sigmoid:
        scores, place = best(logits.sigmoid().flatten(), most)
        place, labels = place // head.num_classes, place % head.num_classes
    else:
        scores, labels = logits.softmax(dim=-1)[:, :-1].max(dim=-1)
        scores, place = best(scores, most)
        labels = labels[place]
    boxes = bbox_cxcywh_to_xyxy(boxes[place]) * limits
    return Detections(torch.minimum(boxes.clamp(min=0), limits), scores, labels)
