"""Static budgets: the path from one iteration everywhere to all, best step first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

Depths = tuple[int, ...]


class Outcome(NamedTuple):
    """What a run over N images gave: (N,) float64 each."""

    losses: Tensor
    macs: Tensor  # of the iterative modules
    scores: Tensor | None  # the task's; None where an image has none

    @property
    def cost(self) -> float:
        """Mean MACs."""
        return float(self.macs.mean())

    @property
    def worth(self) -> Tensor:
        """The score of each image, or else its loss with the sign changed."""
        return -self.losses if self.scores is None else self.scores


class Point(NamedTuple):
    """A static budget: iterations of each block, what they cost and gain beyond one everywhere."""

    depths: Depths
    macs: float
    gain: float  # of the mean loss, estimated


def depth_grid(limit: int) -> list[int]:
    """Depths at which a block of L iterations is measured: each 1.5 times the last."""
    grid = [1]
    while grid[-1] < limit:
        grid.append(min(limit, max(grid[-1] + 1, round(1.5 * grid[-1]))))
    return grid


def coarse_grid(limit: int) -> list[int]:
    """At most three depths: one iteration, the geometric mean, all."""
    return sorted({1, round(limit**0.5), limit})


def at_all_depths(values: Tensor, grid: Sequence[int]) -> Tensor:
    """Linear between the depths of a grid: (N, len(grid)) -> (N, L)."""
    columns = [values[:, :1]]
    for i, (low, high) in enumerate(pairwise(grid)):
        weights = torch.arange(1, high - low + 1, dtype=values.dtype) / (high - low)
        columns.append(torch.lerp(values[:, i : i + 1], values[:, i + 1 : i + 2], weights))
    return torch.cat(columns, dim=1)


def block_curves(
    run: Callable[[Depths], Outcome], limits: Sequence[int]
) -> tuple[list[Tensor], list[float]]:
    """Mean loss of each block's depths, (L,), the others at one iteration; MACs of an iteration."""
    lowest = (1,) * len(limits)
    curves, prices = [], []
    for k, limit in enumerate(limits):
        grid = coarse_grid(limit)
        outcomes = [run((*lowest[:k], depth, *lowest[k + 1 :])) for depth in grid]
        means = torch.stack([o.losses.mean() for o in outcomes])
        curves.append(at_all_depths(means.unsqueeze(0), grid)[0])
        prices.append((outcomes[-1].cost - outcomes[0].cost) / max(limit - 1, 1))
    return curves, prices


def static_path(curves: Sequence[Tensor], prices: Sequence[float]) -> list[Point]:
    """Deepen the block whose next step lowers the loss most for its MACs, until all are full.

    Blocks are taken as if they did not act on each other. A step that pays only together with later
    ones is taken with them: steps are those of the convex envelopes of :func:`block_curves`.
    """
    steps = [
        (-gain / price, k, gain)
        for k, (curve, price) in enumerate(zip(curves, prices, strict=True))
        for gain in _envelope_gains((curve[:-1] - curve[1:]).tolist())
    ]
    path = [Point((1,) * len(curves), 0.0, 0.0)]
    for _, k, gain in sorted(steps):
        depths, macs, gained = path[-1]
        deeper = (*depths[:k], depths[k] + 1, *depths[k + 1 :])
        path.append(Point(deeper, macs + prices[k], gained + gain))
    return path


def _envelope_gains(gains: Sequence[float]) -> list[float]:
    """Of single steps, descending: neighbours are pooled until they are."""
    pools: list[tuple[float, int]] = []
    for gain in gains:
        pools.append((gain, 1))
        while len(pools) > 1 and pools[-2][0] <= pools[-1][0]:
            (a, m), (b, n) = pools[-2:]
            pools[-2:] = [((a * m + b * n) / (m + n), m + n)]
    return [gain for gain, count in pools for _ in range(count)]


def middle(path: Sequence[Point]) -> Depths:
    """The point nearest to half of what the whole path costs."""
    return min(path, key=lambda p: abs(p.macs - path[-1].macs / 2)).depths


def menu(path: Sequence[Point], size: int) -> list[Point]:
    """At most ``size`` points of a path, both ends among them, chosen where its gains bend most.

    A point left out is replaced by a mixture of its neighbours, which gains less where they bend.
    """
    chosen = [0, len(path) - 1]
    while len(chosen) < min(size, len(path)):
        bends = {
            i: _bend(path, i, ends) for ends in pairwise(chosen) for i in range(ends[0] + 1, ends[1])
        }
        chosen = sorted([*chosen, max(bends, key=bends.__getitem__)])
    return [path[i] for i in dict.fromkeys(chosen)]


def _bend(path: Sequence[Point], i: int, ends: tuple[int, int]) -> float:
    """How far the gain of point i lies above that of the ends' mixture at its cost."""
    left, right = (path[end] for end in ends)
    weight = (path[i].macs - left.macs) / (right.macs - left.macs)
    return path[i].gain - left.gain - weight * (right.gain - left.gain)
