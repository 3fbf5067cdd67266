"""Budgets that hold a network to a number of iterations or to a share of another's MACs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from iterbackbone.core.adaptive import AdaptiveModule

Cap = int | float  # at most so many iterations of each stage, or that part of each stage's own L
PARTS = 72  # resolution of parts


def iterations_at(highest: Sequence[int], cap: Cap) -> list[int]:
    """Of each stage under ``cap``, given each stage's L."""
    if isinstance(cap, int):
        return [min(cap, each) for each in highest]
    return [max(1, round(cap * each)) for each in highest]


def set_cap(modules: Iterable[AdaptiveModule], cap: Cap) -> None:
    """Hold ``modules``, of one block a stage, to ``cap``."""
    for module in modules:
        module.set_budget(max_iterations=iterations_at(module.max_iterations, cap))


def part_near(share: float, share_at: Callable[[Cap], float]) -> float:
    """The part of all iterations at which ``share_at`` comes closest to ``share``."""
    return min((n / PARTS for n in range(1, PARTS + 1)), key=lambda part: abs(share_at(part) - share))


def points(
    iterations: Sequence[int], shares: Sequence[float], share_at: Callable[[Cap], float]
) -> dict[str, Cap]:
    """Caps by name: at numbers of iterations, and near shares of the baseline's MACs."""
    named: dict[str, Cap] = {f'at {k}': k for k in iterations}
    return named | {f'at {share:.0%} of MACs': part_near(share, share_at) for share in shares}
