"""Adaptive average pooling for inputs whose size a graph does not know."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BinMeans(nn.Module):
    """``nn.AdaptiveAvgPool2d`` as two matrix products.

    The exporter fixes the original's bins to the size of its example.

    Args:
        size: (rows, columns) of the output; None keeps the input's.
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
            size = child.output_size
            setattr(module, name, BinMeans(size if isinstance(size, tuple) else (size, size)))
        else:
            with_bin_means(child)
    return module
