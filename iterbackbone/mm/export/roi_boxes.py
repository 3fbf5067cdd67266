"""The boxes and masks of heads that look at each proposal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from ...core.adaptive import AdaptiveModule
from ...export import ExportForm
from .boxes import Detections, decoded, suppressed, where

FeaturesOf = Callable[[ExportForm, Tensor], tuple[Tensor, ...]]


class RoIBoxes(nn.Module):
    """mmdet's StandardRoIHead or CascadeRoIHead for a single image of at most so many ``proposals``.

    A shared head that iterates becomes an :class:`~iterbackbone.export.ExportForm`.
    """

    def __init__(self, head: Any, proposals: int, fixed: int | None = None) -> None:
        super().__init__()
        self.heads, self.extractors = stages(head.bbox_head), stages(head.bbox_roi_extractor)
        self.mask_threshold = None  # lowest probability of a mask's pixels
        if head.with_mask:
            self.mask_heads = stages(head.mask_head)
            self.mask_extractors = stages(head.mask_roi_extractor)
            self.mask_threshold = float(head.test_cfg.mask_thr_binary)
        self.shared = head.shared_head if head.with_shared_head else nn.Identity()
        if isinstance(self.shared, AdaptiveModule):
            self.shared = ExportForm(self.shared, fixed, proposals)
        self.test_cfg: Any = head.test_cfg

    @property
    def forms(self) -> list[ExportForm]:
        return [self.shared] if isinstance(self.shared, ExportForm) else []

    def forward(
        self, features: tuple[Tensor, ...], rois: Tensor, limits: Tensor, features_of: FeaturesOf
    ) -> Detections:
        """From the neck's features, (1, C, H_k, W_k), proposals, (N, 4), and :func:`.boxes.limits_of`.

        ``features_of`` runs forms.
        """
        total = torch.zeros(())
        last = len(self.heads) - 1
        for k, (head, extractor) in enumerate(zip(self.heads, self.extractors, strict=True)):
            x = pooled(extractor, features, rois)
            x = features_of(self.shared, x)[0] if self.forms else self.shared(x)
            logits, deltas = head(x)
            total = total + logits / len(self.heads)
            if k < last:
                best = logits[:, :-1].argmax(dim=1)
                rois = _moved(head, rois, deltas, torch.arange(rois.shape[0]), best, limits)
        scores = total.softmax(dim=-1)[:, :-1].flatten()
        above = where(scores > float(self.test_cfg.score_thr))
        place, label = above // head.num_classes, above % head.num_classes
        boxes = _moved(head, rois, deltas, place, label, limits)
        return suppressed(Detections(boxes, scores[above], label), self.test_cfg)

    def masks(self, features: tuple[Tensor, ...], found: Detections) -> Tensor:
        """Probabilities of pixels on a grid over each box, (N, h, w) float32; of stages their mean."""
        place = torch.arange(found.labels.shape[0])
        total = torch.zeros(())
        for head, extractor in zip(self.mask_heads, self.mask_extractors, strict=True):
            logits = head(pooled(extractor, features, found.boxes))
            label = torch.zeros_like(found.labels) if head.class_agnostic else found.labels
            total = total + logits[place, label].sigmoid() / len(self.mask_heads)
        return total


def stages(part: nn.Module) -> nn.ModuleList:
    """Those of a cascade; else the part itself as the only one."""
    return part if isinstance(part, nn.ModuleList) else nn.ModuleList([part])


def _moved(
    head: Any, rois: Tensor, deltas: Tensor, place: Tensor, label: Tensor, limits: Tensor
) -> Tensor:
    """The boxes (M, 4) that a head sees for classes ``label``, (M,), of the RoIs at ``place``, (M,)."""
    if head.reg_class_agnostic:
        deltas = deltas[place]
    else:
        deltas = deltas.view(-1, head.num_classes, 4)[place, label]
    return decoded(head.bbox_coder, rois[place], deltas, limits)


def pooled(extractor: Any, features: tuple[Tensor, ...], boxes: Tensor) -> Tensor:
    """What mmdet's SingleRoIExtractor returns, (N, C, h, w), for boxes (N, 4) of a single image."""
    layers = extractor.roi_layers
    rois = torch.cat((torch.zeros_like(boxes[:, :1]), boxes), dim=1)
    level = extractor.map_roi_levels(rois, len(layers))
    parts, order = [], []
    for k, layer in enumerate(layers):
        settings = (layer.output_size, layer.spatial_scale, layer.sampling_ratio, layer.aligned)
        if len(layers) == 1:
            return roi_align(features[0], rois, *settings)
        index = where(level == k)
        parts.append(roi_align(features[k], rois[index], *settings))
        order.append(index)
    return torch.cat(parts)[torch.cat(order).argsort()]
