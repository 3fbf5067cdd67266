"""Depths at which rows are stopped from outside, for anytime training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

DISTRIBUTIONS = ('mixed', 'log_uniform')


def draw_depths(
    rows: int,
    max_iterations: Sequence[int],
    distribution: str,
    full_share: float,
    generator: torch.Generator,
) -> Tensor:
    """A depth for each row and block, (B, K) int64, by systematic sampling (Cochran, chapter 8).

    Of a batch nearly the same numbers of rows take each depth at every draw: less noise in the
    gradient, and batch sizes that a library's plans are kept for.

    Args:
        rows: B.
        max_iterations: L of each block, (K,).
        distribution: Of each row. ``'mixed'``: half of the rows take one effort u, uniform in [0, 1),
            for all blocks (1 + floor(u L)), half an effort for each block. ``'log_uniform'``: one
            iteration everywhere with probability 1/2, else L^u, rounded, with one effort for all.
        full_share: Probability of a row to run all iterations instead.
        generator: On the CPU, as the result.
    """
    limits = torch.tensor(max_iterations)
    place = _spread(rows, 1, generator)
    rest = (place - full_share) / max(1 - full_share, 1e-9)  # of rows below full depth: in [0, 1)
    half, effort = rest[:, 0] < 0.5, (2 * rest) % 1
    if distribution == 'mixed':
        own = (rest[:, 0] >= 0.5).nonzero()[:, 0]
        effort = effort.repeat(1, len(limits))
        effort[own] = _spread(len(own), len(limits), generator)
        drawn = 1 + torch.floor(effort * limits).long()
    else:
        drawn = torch.where(half[:, None], 1, (limits**effort).round().long())
    return torch.where(place < full_share, limits, drawn).clamp(max=limits)


def _spread(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """Uniform in [0, 1), (rows, columns); the rows of a column lie one in each of as many intervals."""
    order = torch.rand(rows, columns, generator=generator).argsort(dim=0)
    place = (order + torch.rand(1, columns, generator=generator)) / max(rows, 1)
    return place.clamp(max=1 - 2**-24)  # a sum may have been rounded up to 1
