"""Depths at which rows are stopped from outside, for anytime training and for fitting.

Shape legend: B rows, K = stages * blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

DISTRIBUTIONS = ('mixed', 'log_uniform')


def check_depths(depths: object, blocks: int) -> Tensor:
    """Return ``depths``.

    Raises:
        TypeError: it is no int64 tensor.
        ValueError: its shape is not (B, ``blocks``), or a depth is below 1.
    """
    if not isinstance(depths, Tensor) or depths.dtype != torch.int64:
        raise TypeError(f'depths must be an int64 tensor, got {depths!r}')
    if depths.ndim != 2 or depths.shape[1] != blocks:
        raise ValueError(f'depths must have the shape (B, {blocks}), got {tuple(depths.shape)}')
    if depths.numel() and int(depths.min()) < 1:
        raise ValueError(f'depths must be at least 1, got {int(depths.min())}')
    return depths


def draw_depths(
    rows: int,
    max_iterations: Sequence[int],
    distribution: str,
    full_share: float,
    generator: torch.Generator,
) -> Tensor:
    """Draw a depth for each row and block.

    Args:
        rows: B.
        max_iterations: L of each block, (K,).
        distribution: ``'mixed'``: half of the rows take one effort u, uniform in [0, 1), for all
            blocks (1 + floor(u L)), half an effort for each block. ``'log_uniform'``: one iteration
            everywhere with probability 1/2, else L^u, rounded, with one effort for all blocks.
        full_share: Probability of a row to run all iterations instead.
        generator: On the CPU.

    Returns:
        (B, K) int64, on the CPU.
    """
    limits = torch.tensor(max_iterations)
    shared = torch.rand(rows, 1, generator=generator)
    coin = torch.rand(rows, 1, generator=generator) < 0.5
    if distribution == 'mixed':
        own = torch.rand(rows, len(limits), generator=generator)
        depths = 1 + torch.floor(torch.where(coin, shared, own) * limits).long()
    else:
        depths = torch.where(coin, 1, (limits**shared).round().long())
    full = torch.rand(rows, 1, generator=generator) < full_share
    return torch.where(full, limits, depths).clamp(max=limits)
