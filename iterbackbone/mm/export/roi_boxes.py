"""The boxes of a head that looks at each proposal."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from .boxes import Detections, decoded, suppressed, where


class RoIBoxes(nn.Module):
    """mmdet's StandardRoIHead for a single image.

    Args:
        head: In evaluation mode.
    """

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.extractor = head.bbox_roi_extractor
        self.head = head.bbox_head
        self.test_cfg: Any = head.test_cfg

    def forward(self, features: tuple[Tensor, ...], proposals: Tensor, limits: Tensor) -> Detections:
        """Boxes of all classes.

        Args:
            features: Of the neck, (1, C, H_k, W_k) each; the extractor takes the first ones.
            proposals: (N, 4), none at all included.
            limits: Of :func:`~iterbackbone.mm.export.boxes.limits_of`.
        """
        pooled, proposals = self._pooled(features, proposals)
        logits, deltas = self.head(pooled)
        scores = logits.softmax(dim=-1)[:, :-1].flatten()
        above = where(scores > float(self.test_cfg.score_thr))
        place, label = above // self.head.num_classes, above % self.head.num_classes
        if self.head.reg_class_agnostic:
            deltas = deltas[place]
        else:
            deltas = deltas.view(-1, self.head.num_classes, 4)[place, label]
        boxes = decoded(self.head.bbox_coder, proposals[place], deltas, limits)
        return suppressed(Detections(boxes, scores[above], label), self.test_cfg)

    def _pooled(self, features: tuple[Tensor, ...], proposals: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, h, w) and the proposals in that order: one level after the other."""
        layers: Any = self.extractor.roi_layers
        rois = torch.cat((torch.zeros_like(proposals[:, :1]), proposals), dim=1)
        level = self.extractor.map_roi_levels(rois, len(layers))
        pooled, order = [], []
        for k, layer in enumerate(layers):
            index = where(level == k)
            settings = (layer.output_size, layer.spatial_scale, layer.sampling_ratio, layer.aligned)
            pooled.append(roi_align(features[k], rois[index], *settings))
            order.append(index)
        return torch.cat(pooled), proposals[torch.cat(order)]
