"""Static budgets: the path from one iteration everywhere to all, best step first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

Depths = tuple[int, ...]


class Outcome(NamedTuple):
    """What a run over N images gave.

    Attributes:
        losses: (N,) float64.
        macs: Of the iterative modules, (N,) float64.
        scores: The task's score of each image, (N,) float64; None where it has none.
    """

    losses: Tensor
    macs: Tensor
    scores: Tensor | None


class Point(NamedTuple):
    """A static budget: iterations of each block, mean MACs and mean loss."""

    depths: Depths
    macs: float
    loss: float


def static_path(run: Callable[[Depths], Outcome], limits: Sequence[int]) -> list[Point]:
    """Deepen the block whose next step lowers the loss most for its MACs, until all are full.

    A step goes to 1.5 times the iterations, at least one more.

    Args:
        run: Runs all images at these depths.
        limits: L of each block, (K,).
    """

    def point(depths: Depths) -> Point:
        outcome = run(depths)
        return Point(depths, float(outcome.macs.mean()), float(outcome.losses.mean()))

    path = [point((1,) * len(limits))]
    while path[-1].depths != tuple(limits):
        now = path[-1]
        deeper = [
            point(_deepened(now.depths, k, limit))
            for k, limit in enumerate(limits)
            if now.depths[k] < limit
        ]
        path.append(max(deeper, key=lambda p: (now.loss - p.loss) / (p.macs - now.macs)))
    return path


def _deepened(depths: Depths, block: int, limit: int) -> Depths:
    more = min(limit, max(depths[block] + 1, round(1.5 * depths[block])))
    return (*depths[:block], more, *depths[block + 1 :])


def menu(path: Sequence[Point], size: int) -> list[Point]:
    """At most ``size`` points of a path, both ends among them, evenly spaced in MACs."""
    lowest, highest = path[0].macs, path[-1].macs
    wanted = [lowest + (highest - lowest) * i / (size - 1) for i in range(size)]
    chosen = {min(path, key=lambda p: abs(p.macs - macs)).depths for macs in wanted}
    return [p for p in path if p.depths in chosen]
