"""The boxes of mmdet's dense heads: of anchors or points at every place, or of queries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from mmdet.models.dense_heads import RPNHead
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from torch import Tensor, nn

from .boxes import Detections, decoded, large_enough, suppressed, where


class DenseBoxes(nn.Module):
    """``predict`` of an AnchorHead or FCOSHead for a single image; an RPNHead's labels are levels."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head
        self.test_cfg: Any = head.test_cfg
        self.proposes = isinstance(head, RPNHead)
        self.classes = head.cls_out_channels - (not head.use_sigmoid_cls)  # without the background
        self.score_thr = float(self.test_cfg.get('score_thr', 0))

    def forward(self, features: tuple[Tensor, ...], limits: Tensor) -> Detections:
        """From the neck's ``features``, (1, C, H_k, W_k), and :func:`.boxes.limits_of` the image."""
        levels = []
        for k, (scores, deltas, anchors, factors) in enumerate(self._levels(features)):
            scores, index = best(scores.flatten(), int(self.test_cfg.nms_pre))
            if self.proposes:
                place, label = index, torch.full_like(index, k)
            else:
                above = where(scores > self.score_thr)
                scores, index = scores[above], index[above]
                place, label = index // self.classes, index % self.classes
            if factors is not None:
                scores = scores * factors[place]
            boxes = decoded(self.head.bbox_coder, anchors[place], deltas[place], limits)
            levels.append(Detections(boxes, scores, label))
        found = Detections(*(torch.cat(parts) for parts in zip(*levels, strict=True)))
        found = large_enough(found, float(self.test_cfg.get('min_bbox_size', -1)))
        return suppressed(found, self.test_cfg)

    def _levels(self, features: tuple[Tensor, ...]) -> Iterator[tuple[Any, ...]]:
        """Of each: scores (N, classes), deltas (N, 4), anchors (N, 4) or points (N, 2), and factors of
        scores (N,) or None.
        """
        logits, deltas, *factors = self.head(features)
        sizes = [level.shape[-2:] for level in logits]
        anchors = self.head.prior_generator.grid_priors(sizes, logits[0].dtype, logits[0].device)
        for k, level in enumerate(logits):
            level = _rows(level, self.head.cls_out_channels)
            scores = level.sigmoid() if self.head.use_sigmoid_cls else level.softmax(-1)[:, :-1]
            factor = _rows(factors[0][k], 1).flatten().sigmoid() if factors else None
            yield scores, _rows(deltas[k], 4), anchors[k], factor


def _rows(level: Tensor, columns: int) -> Tensor:
    """(1, A * columns, H, W) -> (H * W * A, columns)."""
    return level[0].permute(1, 2, 0).reshape(-1, columns)


def best(scores: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The ``most`` highest of (N,), or all if fewer, highest first, and their indices."""
    most = torch.sym_min(scores.shape[0], most)
    if torch.compiler.is_exporting():
        scores, index = scores.topk(most)  # ONNX's takes the first of equals, torch's any
    else:
        scores, index = scores.sort(descending=True, stable=True)
    return scores[:most], index[:most]


class QueryBoxes(nn.Module):
    """mmdet's DETR behind the neck, in evaluation mode, for a single image without padding."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: tuple[Tensor, ...], limits: Tensor) -> Detections:
        """From the neck's only level of ``features``, (1, C, H, W), and :func:`.boxes.limits_of`."""
        head = self.model.bbox_head
        whole = DetDataSample(metainfo=dict(batch_input_shape=(1, 1), img_shape=(1, 1)))  # no padding
        logits, boxes = head(**self.model.forward_transformer(features, [whole]))
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
