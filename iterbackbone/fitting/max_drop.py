"""The cheapest share whose loss of score against full depth stays below a limit, with confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

CONFIDENCE = 0.95
RESAMPLES = 10_000


class Drop(NamedTuple):
    """Loss of score at one share of the full MACs."""

    share: float
    mean: float  # score at full depth minus score at this share
    upper: float  # upper confidence bound of it


def cheapest(
    shares: Sequence[float],
    scores: Sequence[Tensor],
    full: Tensor,
    limit: float,
    groups: Tensor | None = None,
) -> tuple[Drop | None, list[Drop]]:
    """Test share after share, from the highest down, until one cannot be shown to hold the limit.

    Such a fixed order needs no correction for repeated looks: the first true violation is passed
    with a probability of at most 5% (fixed sequence testing, Maurer et al. 1995). Each test is a
    one-sided bootstrap of the mean paired difference over the images' sources.

    Args:
        shares: In any order.
        scores: Of the images at each share, (N,), in [0, 1].
        full: At full depth, (N,).
        limit: Highest loss of score, in the scores' unit.
        groups: (N,) int64, the source of each image; None where each is its own.

    Returns the cheapest that passed, None if there is none, and all that were tested.
    """
    generator = torch.Generator().manual_seed(0)
    passed, tested = None, []
    sources = torch.arange(len(full)) if groups is None else groups.unique(return_inverse=True)[1]
    for share, each in sorted(zip(shares, scores, strict=True), key=lambda pair: -pair[0]):
        difference = full - each
        upper = _upper_bound(difference, sources, generator)
        tested.append(Drop(share, float(difference.mean()), upper))
        if upper >= limit:
            break
        passed = tested[-1]
    return passed, tested


def least_sources(limit: float) -> int:
    """How many sources it takes to show that a loss is below ``limit``, even where none is seen."""
    return math.floor(math.log(1 - CONFIDENCE) / math.log1p(-limit)) + 1 if limit < 1 else 1


def _upper_bound(difference: Tensor, sources: Tensor, generator: torch.Generator) -> float:
    images = sources.bincount().to(difference.dtype)
    sums = torch.zeros_like(images).index_add_(0, sources, difference)
    count, means = len(sums), []
    for _ in range(RESAMPLES // 500):
        drawn = torch.randint(count, (500, count), generator=generator)
        means.append(sums[drawn].sum(dim=1) / images[drawn].sum(dim=1))
    unseen = 1 - (1 - CONFIDENCE) ** (1 / count)  # a total loss this frequent may not have been seen
    return max(float(torch.cat(means).quantile(CONFIDENCE)), unseen)
