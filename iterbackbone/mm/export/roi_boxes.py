"""The boxes and masks of heads that look at each proposal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from .boxes import Detections, decoded, suppressed


def roi_boxes(
    head: Any,
    features: tuple[Tensor, ...],
    rois: Tensor,
    limits: Tensor,
    shared: Callable[[Tensor], Tensor],
) -> Detections:
    """Of mmdet's StandardRoIHead or CascadeRoIHead for a single image.

    From the neck's ``features``, (1, C, H_k, W_k), proposals, (N, 4), and :func:`.boxes.limits_of`;
    ``shared`` stands before all heads.
    """
    heads, extractors = stages(head.bbox_head), stages(head.bbox_roi_extractor)
    total = torch.zeros(())
    for k, (stage, extractor) in enumerate(zip(heads, extractors, strict=True), start=1):
        logits, deltas = stage(shared(pooled(extractor, features, rois)))
        total = total + logits / len(heads)
        if k < len(heads):
            label = logits[:, :-1].argmax(dim=1)
            rois = _moved(stage, rois, deltas, torch.arange(rois.shape[0]), label, limits)
    scores = total.softmax(dim=-1)[:, :-1].flatten()
    above = (scores > float(head.test_cfg.score_thr)).nonzero().squeeze(1)
    place, label = above // stage.num_classes, above % stage.num_classes
    boxes = _moved(stage, rois, deltas, place, label, limits)
    return suppressed(Detections(boxes, scores[above], label), head.test_cfg)


def roi_masks(head: Any, features: tuple[Tensor, ...], found: Detections) -> Tensor:
    """Probabilities of pixels on a grid over each box, (N, h, w) float32; of stages their mean."""
    heads, extractors = stages(head.mask_head), stages(head.mask_roi_extractor)
    place = torch.arange(found.labels.shape[0])
    total = torch.zeros(())
    for stage, extractor in zip(heads, extractors, strict=True):
        logits = stage(pooled(extractor, features, found.boxes))
        label = torch.zeros_like(found.labels) if stage.class_agnostic else found.labels
        total = total + logits[place, label].sigmoid() / len(heads)
    return total


def stages(part: Any) -> Sequence[Any]:
    """Those of a cascade; else the part itself as the only one."""
    return part if isinstance(part, nn.ModuleList) else [part]


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
        index = (level == k).nonzero().squeeze(1)
        parts.append(roi_align(features[k], rois[index], *settings))
        order.append(index)
    return torch.cat(parts)[torch.cat(order).argsort()]
