"""The cheapest share whose loss of score against full depth stays below a limit, with confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

CONFIDENCE = 0.95
RESAMPLES = 10_000


class Drop(NamedTuple):
    """Loss of score at one share.

    Attributes:
        share: Of the full MACs.
        mean: Score at full depth minus score at this share.
        upper: Upper confidence bound of it.
    """

    share: float
    mean: float
    upper: float


def cheapest(
    shares: Sequence[float], scores: Sequence[Tensor], full: Tensor, limit: float
) -> tuple[Drop | None, list[Drop]]:
    """Test share after share, from the highest down, until one cannot be shown to hold the limit.

    Such a fixed order needs no correction for repeated looks: the first true violation is passed
    with a probability of at most 5% (fixed sequence testing, Maurer et al. 1995). Each test is a
    one-sided bootstrap of the mean paired difference over images.

    Args:
        shares: Ascending.
        scores: Of the images at each share, (N,), in [0, 1].
        full: At full depth, (N,).
        limit: Highest loss of score, in the scores' unit.

    Returns:
        The cheapest that passed, None if there is none, and all that were tested.
    """
    generator = torch.Generator().manual_seed(0)
    passed, tested = None, []
    for share, each in sorted(zip(shares, scores, strict=True), key=lambda pair: -pair[0]):
        difference = full - each
        upper = _upper_bound(difference, generator)
        tested.append(Drop(share, float(difference.mean()), upper))
        if upper >= limit:
            break
        passed = tested[-1]
    return passed, tested


def _upper_bound(difference: Tensor, generator: torch.Generator) -> float:
    count = len(difference)
    means = torch.cat(
        [
            difference[torch.randint(count, (500, count), generator=generator)].mean(dim=1)
            for _ in range(RESAMPLES // 500)
        ]
    )
    unseen = 1 - (1 - CONFIDENCE) ** (1 / count)  # a total loss this frequent may not have been seen
    return max(float(means.quantile(CONFIDENCE)), unseen)
