"""The best random mixture of two static budgets at the mean cost of a policy.

Shape legend: k static budgets, n images, r runs of which run 0 is the policy's, B weightings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .run_scores import Array, RunScores

MAX_MENU = 8
DRAWS = 200  # random assignments of images to two budgets
TOLERANCE = 1e-6  # relative; of mean MACs, which may come from float32


def envelope(costs: ArrayLike, scores: ArrayLike) -> list[int]:
    """The static budgets, of (k,) mean costs and scores, that no random mixture of two others beats.

    They are places of the vertices of the upper concave envelope, from the cheapest on.

    Raises:
        ValueError: not (k,) each, not 2 to ``MAX_MENU`` budgets of different costs, or a number
            that is not finite.
    """
    cost, score = (np.asarray(v, dtype=np.float64) for v in (costs, scores))
    if cost.ndim != 1 or cost.shape != score.shape:
        raise ValueError(f'costs and scores must be (k,) each, got {cost.shape} and {score.shape}')
    if not (np.isfinite(cost).all() and np.isfinite(score).all()):
        raise ValueError('costs and scores must be finite')
    if not 2 <= len(cost) <= MAX_MENU or len(np.unique(cost)) < 2:
        raise ValueError(
            f'the menu must have 2 to {MAX_MENU} static budgets of two costs or more, '
            f'got the costs {cost.tolist()}'
        )
    vertices: list[int] = []
    for new in np.lexsort((score, cost)).tolist():
        while vertices and cost[vertices[-1]] == cost[new]:
            vertices.pop()
        while len(vertices) > 1 and _below(vertices[-2], vertices[-1], new, cost, score):
            vertices.pop()
        vertices.append(new)
    return vertices


def _below(left: int, middle: int, right: int, cost: Array, score: Array) -> bool:
    """Whether the middle point is not above the line through the other two."""
    rise, run = score[right] - score[left], cost[right] - cost[left]
    return (score[middle] - score[left]) * run <= rise * (cost[middle] - cost[left])


class StaticMixture:
    """The policy beside a mixture of two static budgets, ``vertices``, that costs the same.

    Arguments and errors are those of :func:`~iterbackbone.stats.gain.measure`.
    """

    def __init__(self, scores: RunScores, costs: Array, vertices: Sequence[int]) -> None:
        means = costs.mean(axis=1)
        self.vertices = _bracket(means, vertices)
        runs = [0, *(1 + v for v in self.vertices)]
        self.runs, self.costs = scores.take(runs), costs[runs]
        cheaper = np.flatnonzero(means < means[0] * (1 - TOLERANCE))
        self._cheaper = scores.take(cheaper[scores.each()[cheaper].argsort()[-1:]])

    def cheaper(self, counts: Array) -> Array:
        """Score of the best static budget that costs less than the policy; -inf without one.

        From (B, n) counts of the images, (B,).
        """
        if not self._cheaper.num_runs:
            return np.full(len(counts), -np.inf)
        return self._cheaper.mixed(np.ones((len(counts), 1)), counts)

    def compare(self, counts: Array) -> tuple[Array, Array, Array]:
        """Score of the policy, score of the mixture, share of the mixture's second budget.

        In a resample the policy may leave the range of the two costs by a little; the share is
        then a little below 0 or above 1. From (B, n) counts of the images, (B,) each.
        """
        cost, low, high = (counts @ self.costs.T / counts.sum(axis=1, keepdims=True)).T
        weight = (cost - low) / (high - low)
        none = np.zeros_like(weight)
        policy = self.runs.mixed(np.stack([none + 1, none, none], axis=1), counts)
        return policy, self.runs.mixed(np.stack([none, 1 - weight, weight], axis=1), counts), weight

    def assigned(self, weight: float, rng: np.random.Generator) -> float:
        """Mean score of ``DRAWS`` random assignments, of the share ``weight`` to the second budget."""
        n = self.runs.num_images
        second, part = divmod(weight * n, 1)  # a part of an image is the second's in some draws
        scores = []
        for draw in range(DRAWS):
            dearer = second + (draw < round(part * DRAWS))
            choice = np.where(np.arange(n) < dearer, 2, 1)
            scores.append(self.runs.chosen(rng.permutation(choice)[None]))
        return float(np.mean(scores))


def _bracket(means: Array, vertices: Sequence[int]) -> tuple[int, int]:
    """The neighbouring vertices between whose mean costs the policy's lies."""
    places = list(vertices)
    policy, static = means[0], means[1:]
    costs = static[[place for place in places if place in range(len(static))]]
    if len(places) < 2 or len(costs) < len(places) or not (np.diff(costs) > 0).all():
        raise ValueError(
            f'vertices must be 2 or more places among {len(static)} static runs, by increasing mean '
            f'cost, got {places}'
        )
    if not costs[0] * (1 - TOLERANCE) <= policy <= costs[-1] * (1 + TOLERANCE):
        raise ValueError(
            "the policy's mean cost must lie between those of the cheapest and the most expensive "
            f'static budget, {costs[0]:.6g} and {costs[-1]:.6g} MACs, got {policy:.6g}'
        )
    right = int(np.clip(np.searchsorted(costs, policy), 1, len(costs) - 1))
    return places[right - 1], places[right]
