"""What of OpenMMLab's networks is timed, and ratios of times of the same rounds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple

from torch import nn

from iterbackbone.core.macs import Size
from iterbackbone.mm.configs import random_input
from iterbackbone.mm.traces import iterative_modules
from iterbackbone.timing import Run


class Ratio(NamedTuple):
    """Time as a share of the baseline's: median and quartiles over the rounds."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, seconds: Sequence[float], baseline: Sequence[float]) -> Ratio:
        """Of times that were measured in the same rounds, at least two."""
        shares = [each / other for each, other in zip(seconds, baseline, strict=True)]
        lower, median, upper = statistics.quantiles(shares, n=4, method='inclusive')
        return cls(median, lower, upper)


def forward_runs(
    model: nn.Module, size: Size, iterations: Sequence[Sequence[int]] = ()
) -> dict[str, Run]:
    """What of a network is timed, on one image of noise.

    Args:
        model: mmdet's, mmseg's or mmpretrain's, in evaluation mode, on the CPU, with random
            weights: an iterative one then runs all iterations its budget allows.
        size: (H, W) of the image in pixels.
        iterations: Of an iterative network's evaluated images in each block, (images, blocks),
            to be run again one image after the other; only with one block a stage.

    Returns:
        ``mean``: the network as it is, or the ``iterations``; of an iterative network also
        ``lowest`` (one iteration of each block) and ``highest`` (all), and no ``mean`` without
        ``iterations``.
    """
    data = random_input(model, size)
    modules = list(iterative_modules(model))
    budgets = [module.budget for module in modules]

    def forward() -> None:
        model(**data, mode='tensor')

    def highest() -> None:
        for module, budget in zip(modules, budgets, strict=True):
            module.use_budget(budget)
        forward()

    def capped(caps: int | Sequence[int]) -> None:
        for module in modules:
            module.set_budget(max_iterations=caps)
        forward()

    if not modules:
        return {'mean': forward}
    runs: dict[str, Run] = {'lowest': lambda: capped(1), 'highest': highest}
    stages = [stage for module in modules for stage in module.iterative_stages()]
    if iterations and all(len(stage.blocks) == 1 for stage in stages):
        images = cycle(iterations)
        runs['mean'] = lambda: capped(next(images))
    return runs
