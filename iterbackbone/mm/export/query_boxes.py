"""The boxes of a transformer that predicts one from each of its queries."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from torch import Tensor, nn

from .boxes import Detections
from .dense_boxes import best


class QueryBoxes(nn.Module):
    """mmdet's DETR behind the neck, in evaluation mode, for a single image without padding."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: tuple[Tensor, ...], limits: Tensor) -> Detections:
        """Boxes of all classes from the neck's only level of ``features``, (1, C, H, W).

        ``limits`` are those of :func:`~iterbackbone.mm.export.boxes.limits_of`.
        """
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
