"""A policy beside its own depths on other images: the same histogram, so the same cost.

Shape legend: n images, r runs of which run 0 is the policy's, B weightings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .run_scores import Array, RunScores, interval95, rounded

SHUFFLES = 1000
SET_SHUFFLES = 200  # of a score that is no mean over images
AT_ONCE = 2**20  # depths of images


@dataclass(frozen=True)
class Shuffled:
    """Scores of static outcomes with the policy's depths shuffled over the images.

    Attributes:
        gain: The policy's score minus ``score``; ``gain_low`` and ``gain_high`` are its 95% bootstrap
            interval.
        p_value: One-sided, that depths do not follow images: the share of shuffles that score
            at least as much as the policy. Where images share sources, the share of resamples of
            sources in which ``gain`` is not above 0: shuffled images would not be independent.
        score: Mean over the shuffles, 95% of which lie between ``low`` and ``high``.
        reassembled: Score of the static outcomes at the policy's depths. Where it differs from the
            policy's score, a depth gives other features when the policy chooses it.
        cost: Mean MACs of the shuffles; exactly the policy's where images are of one size.
        num_shuffles: How many there were.
    """

    gain: float
    gain_low: float
    gain_high: float
    p_value: float
    score: float
    low: float
    high: float
    reassembled: float
    cost: float
    num_shuffles: int


class ShuffledDepths:
    """The shuffles of one policy; arguments and errors as of :func:`.gain.measure`."""

    def __init__(
        self,
        scores: RunScores,
        costs: Array,
        choices: ArrayLike,
        shuffles: int | None,
        rng: np.random.Generator,
    ) -> None:
        places = np.asarray(choices)
        places_exist = places.dtype.kind in 'iu' and ((places >= 0) & (places < len(costs) - 1)).all()
        if places.shape != (scores.num_images,) or not places_exist:
            raise ValueError(
                f'choices must be (n,) = ({scores.num_images},) places among {len(costs) - 1} static '
                f'runs, got the shape {places.shape}'
            )
        used, self._runs = np.unique(places + 1, return_inverse=True)
        self._scores, costs = scores.take(used), costs[used]
        self._reassembled = float(self._scores.chosen(self._runs[None])[0])
        num = shuffles or (SHUFFLES if scores.linear else SET_SHUFFLES)
        size = max(1, AT_ONCE // len(places))
        found = [self._shuffled(min(size, num - i), costs, rng) for i in range(0, num, size)]
        self._shuffled_scores, self._costs = (np.concatenate(part) for part in zip(*found, strict=True))

    def _shuffled(self, num: int, costs: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        runs = rng.permuted(np.tile(self._runs, (num, 1)), axis=1)
        return self._scores.chosen(runs), costs[runs, np.arange(runs.shape[1])].mean(axis=1)

    def expected(self, counts: Array) -> Array:
        """Score of the mixture of all depths by their histogram, (B, n) counts to (B,)."""
        histogram = counts @ np.eye(self._scores.num_runs)[self._runs]
        return self._scores.mixed(histogram / counts.sum(axis=1, keepdims=True), counts)

    def beside(self, policy: float, gains: Array, grouped: bool = False) -> Shuffled:
        """The shuffles beside the policy's score; ``grouped`` says whether images share sources.

        ``gains`` are (B,) the policy's score minus :meth:`expected` in each resample.
        """
        scores = self._shuffled_scores
        mean = float(scores.mean())
        soft = float(self.expected(np.ones((1, len(self._runs))))[0])
        gains = rounded(gains - (mean - soft))
        null = gains if grouped else rounded(policy - scores)
        return Shuffled(
            float(rounded(policy - mean)),
            *interval95(gains),
            float((1 + (null <= 0).sum()) / (1 + len(null))),
            mean,
            *interval95(scores),
            reassembled=self._reassembled,
            cost=float(self._costs.mean()),
            num_shuffles=len(scores),
        )
