"""Policies whose gain is known, on images of which half become easier with depth."""

from __future__ import annotations

import numpy as np

from iterbackbone.stats.gain import envelope

COSTS = np.array([10.0, 20.0, 30.0, 50.0])
# Chance of a right answer at each depth: of images that depth does not help, and of those it does.
CHANCES = np.array([[0.70, 0.70, 0.69, 0.68], [0.30, 0.50, 0.56, 0.62]])
MEANS = 100 * CHANCES.mean(axis=0)  # 50, 60, 62.5, 65
VERTICES = envelope(COSTS, MEANS)
# Chance of each depth for the two kinds of image.
POLICIES = {
    'oracle': [[1, 0, 0, 0], [0, 0, 0, 1]],
    'partly right': [[0.6, 0.2, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4]],
    'random': [[0.5, 0, 0, 0.5], [0.5, 0, 0, 0.5]],  # the oracle's histogram
    'worse than random': [[0, 0, 0, 1], [1, 0, 0, 0]],  # the same histogram
    'constant': [[0, 0, 1, 0], [0, 0, 1, 0]],
}


def known_gain(name: str) -> float:
    """Expected score minus the envelope at the expected cost, in points."""
    depths = np.array(POLICIES[name], dtype=float)
    score = 100 * (depths * CHANCES).sum() / 2
    return score - np.interp((depths @ COSTS).mean(), COSTS[VERTICES], MEANS[VERTICES])


def sample(name: str, rng: np.random.Generator, n: int = 300):
    """Depths (n,) as places in the menu, and the static outcomes (4, n) of 0 and 100."""
    kind = rng.integers(2, size=n)
    outcomes = 100.0 * (rng.random(n) < CHANCES[kind].T)
    cumulated = np.cumsum(POLICIES[name], axis=1)[kind]
    depths = (rng.random((n, 1)) > cumulated[:, :-1]).sum(axis=1)
    return depths, outcomes
