"""Chooses the exported form of a model by its library."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmengine.utils import to_2tuple
from torch import Tensor, nn

from ..configs import toolbox_of_model
from .models import ExportedClassifier, ExportedModel, ExportedSegmentor


def exported(model: Any, fixed: int | None = None) -> ExportedModel:
    """The exported form of a copy of a classifier, segmentor or detector.

    Raises:
        TypeError: its backbone is no IterativeResNet.
        ValueError: it is of another library, or has something that cannot be exported.
    """
    toolbox = toolbox_of_model(model)
    model = with_bin_means(copy.deepcopy(model))
    if toolbox == 'mmdet':
        from .detectors import exported_detector  # the one that needs mmdet

        return exported_detector(model, fixed)
    return (ExportedSegmentor if toolbox == 'mmseg' else ExportedClassifier)(model, fixed)


class BinMeans(nn.Module):
    """``nn.AdaptiveAvgPool2d`` to (rows, columns), None for the input's, as two products of matrices.

    The exporter fixes the original's bins to the size of its example.
    """

    def __init__(self, size: tuple[int | None, int | None]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
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
