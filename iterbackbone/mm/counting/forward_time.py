"""Forward times of several networks on a CPU, side by side in one run.

Absolute times depend on the machine and drift while it works; every round runs every network
once, so that the ratios of a round share the drift.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import NamedTuple, TypeVar

import torch
from torch import nn

from ...core.adaptive import AdaptiveModule
from ...core.macs import Size
from ..traces import iterative_modules
from .model_building import random_input

Run = Callable[[], object]
Key = TypeVar('Key')


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
    if iterations and _one_block_a_stage(modules):
        images = cycle(iterations)
        runs['mean'] = lambda: capped(next(images))
    return runs


def _one_block_a_stage(modules: Sequence[AdaptiveModule]) -> bool:
    return all(len(stage.blocks) == 1 for module in modules for stage in module.iterative_stages())


def forward_seconds(runs: Mapping[Key, Run], rounds: int, threads: int = 1) -> dict[Key, list[float]]:
    """Time each run once a round, in a new order every round, after a warm-up.

    Args:
        runs: By key.
        rounds: At least 2.
        threads: Cores that each run may use.

    Returns:
        Seconds of each round, by key.
    """
    if rounds < 2:
        raise ValueError(f'rounds must be at least 2, got {rounds}')
    order, shuffled = list(runs), random.Random(0)
    seconds: dict[Key, list[float]] = {key: [] for key in runs}
    with torch.inference_mode(), _cores(threads):
        for run in runs.values():
            run()
        for _ in range(rounds):
            shuffled.shuffle(order)
            for key in order:
                started = time.perf_counter()
                runs[key]()
                seconds[key].append(time.perf_counter() - started)
    return seconds


@contextmanager
def _cores(number: int) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
