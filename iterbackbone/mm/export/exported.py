"""Chooses the exported form of a model by its library."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmengine.utils import to_2tuple
from torch import Tensor, nn

from .models import ExportedClassifier, ExportedModel, ExportedSegmentor


def _exported_detector(model: Any, fixed: int | None) -> ExportedModel:
    from .detectors import exported_detector  # the one that needs mmdet

    return exported_detector(model, fixed)


KINDS = {  # by library; the first part of a class's module
    'mmpretrain': ExportedClassifier,
    'mmseg': ExportedSegmentor,
    'mmdet': _exported_detector,
}


def exported(model: Any, fixed: int | None = None) -> ExportedModel:
    """The exported form of a copy of a classifier, segmentor or detector.

    Raises:
        TypeError: it is none of these, or its backbone is no IterativeResNet.
        ValueError: it has something that cannot be exported.
    """
    libraries = {kind.__module__.split('.')[0] for kind in type(model).__mro__}
    for library, kind in KINDS.items():
        if library in libraries:
            return kind(with_bin_means(copy.deepcopy(model)), fixed)
    raise TypeError(f'model must be of one of {sorted(KINDS)}, got {type(model).__name__}')


class BinMeans(nn.Module):
    """``nn.AdaptiveAvgPool2d`` to (rows, columns) as two matrix products; None keeps the input's.

    The exporter fixes the original's bins to the size of its example.
    """

    def __init__(self, size: tuple[int | None, int | None]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, rows, columns)."""
        rows, columns = self.size
        if rows is not None:
            x = _bins(rows, x.shape[-2], x) @ x
        return x if columns is None else x @ _bins(columns, x.shape[-1], x).T


def _bins(count: int, length: int, like: Tensor) -> Tensor:
    """(count, length): the weights with which each bin takes its mean, bins as torch divides them."""
    row = torch.arange(count, device=like.device).view(-1, 1)
    position = torch.arange(length, device=like.device)
    inside = (position >= row * length // count) & (position < -(-(row + 1) * length // count))
    weights = inside.to(like.dtype)
    return weights / weights.sum(dim=1, keepdim=True)


def with_bin_means(module: nn.Module) -> nn.Module:
    """Replace the adaptive average poolings in ``module``, which is changed and returned."""
    for name, child in module.named_children():
        if isinstance(child, nn.AdaptiveAvgPool2d):
            setattr(module, name, BinMeans(to_2tuple(child.output_size)))
        else:
            with_bin_means(child)
    return module
