"""Parameters and MACs of a whole detector, segmentor or classifier.

MACs are half of what torch's FlopCounterMode counts in one real run: one multiply-add is 1
MAC. The run is made at one iteration of each block, so that it is fast; what the iterative
modules executed is taken off by their MAC tables, which also say what other numbers of
iterations cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ...core.adaptive import AdaptiveModule
from ...core.macs import MacTable, Size
from ...core.resnet_counterpart import resnet_macs
from ..evaluation.image_compute import table_of
from ..traces import Call, TraceCollector
from .model_building import random_input
from .proposals import fixed_proposals
from .uncounted import OperatorWatch, Uncounted

ELSEWHERE = '(elsewhere)'  # not within any child's call


@dataclass(frozen=True)
class IterativeMacs:
    """What one iterative module costs for one image.

    Attributes:
        name: In the model, such as ``roi_head.shared_head``.
        module: The module.
        rows: Calls' rows: images or RoIs.
        table: Of one row.
        limits: L' of each block.
    """

    name: str
    module: AdaptiveModule
    rows: int
    table: MacTable
    limits: tuple[int, ...]

    @property
    def child(self) -> str:
        """The model's child that it is or belongs to."""
        return self.name.split('.')[0]

    @property
    def lowest(self) -> int:
        """MACs of all rows at one iteration of each block."""
        return self.rows * self.table.lowest

    @property
    def highest(self) -> int:
        """MACs of all rows at all iterations the budget allows."""
        return self.rows * self.table.total(self.limits, self.limits)

    @property
    def resnet(self) -> int:
        """MACs of all rows in the plain ResNet of the same shape."""
        return self.rows * resnet_macs(self.module, self.table.input_size)


@dataclass(frozen=True)
class ModelMacs:
    """What a model costs for one image.

    Attributes:
        input_size: (H, W) of the network's input in pixels, padding included.
        rest: MACs outside the iterative modules, by child of the model.
        iterative: One for each iterative module and size of its input.
        uncounted: Operators the numbers do not contain.
    """

    input_size: Size
    rest: dict[str, int]
    iterative: tuple[IterativeMacs, ...]
    uncounted: Uncounted

    def lowest(self) -> dict[str, int]:
        """MACs at one iteration of each block, by child."""
        return self._with((module.child, module.lowest) for module in self.iterative)

    def highest(self) -> dict[str, int]:
        """MACs at all iterations the budget allows, by child."""
        return self._with((module.child, module.highest) for module in self.iterative)

    def _with(self, iterative: Iterable[tuple[str, int]]) -> dict[str, int]:
        macs = dict(self.rest)
        for child, each in iterative:
            macs[child] += each
        return macs


def count_parameters(model: nn.Module) -> dict[str, int]:
    """``total`` and by child; parameters that children share count in each of them."""
    children = {name: _parameters(child) for name, child in model.named_children()}
    return {'total': _parameters(model), **{name: n for name, n in children.items() if n}}


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@torch.no_grad()
def count_macs(model: nn.Module, size: Size, num_proposals: int | None = None) -> ModelMacs:
    """Run a model once on an image of noise and count.

    Args:
        model: mmdet's, mmseg's or mmpretrain's, in evaluation mode, on the CPU.
        size: (H, W) of the image in pixels; the data preprocessor pads it.
        num_proposals: Of a two-stage detector; None takes what the RPN predicts.

    Raises:
        ValueError: the model is of another library.
    """
    data = random_input(model, size)
    modules = [module for module in model.modules() if isinstance(module, AdaptiveModule)]
    collector = TraceCollector(model) if modules else None
    watch = OperatorWatch(model)
    with (
        _one_iteration(modules),
        fixed_proposals(model, num_proposals),
        watch,
        FlopCounterMode(display=False) as counter,
    ):
        model(**data, mode='tensor')
    calls = list(collector.calls) if collector else []
    if collector:
        collector.detach()
    rest = _by_child(model, counter)
    iterative, executed = _iterative(model, calls)
    for child, macs in executed.items():
        rest[child] -= macs
    height, width = data['inputs'].shape[-2:]
    return ModelMacs((height, width), rest, iterative, watch.uncounted)


def _iterative(model: nn.Module, calls: list[Call]) -> tuple[tuple[IterativeMacs, ...], Counter[str]]:
    """The iterative modules, and the MACs they executed by child of the model."""
    names = {module: name for name, module in model.named_modules()}
    limits = {module: tuple(chain(*module.limits())) for module in {call.module for call in calls}}
    rows: Counter[tuple[AdaptiveModule, Size]] = Counter()
    executed: Counter[str] = Counter()
    for module, trace, *_ in calls:
        table = table_of(module, trace.input_size)
        rows[module, trace.input_size] += len(trace.executed)
        macs = sum(table.total(n, trace.limits) for n in trace.executed.tolist())
        executed[names[module].split('.')[0]] += macs
    iterative = (
        IterativeMacs(names[module], module, number, table_of(module, size), limits[module])
        for (module, size), number in rows.items()
    )
    return tuple(iterative), executed


@contextmanager
def _one_iteration(modules: list[AdaptiveModule]) -> Iterator[None]:
    """And in the plain form: the counter does not know the operators of the other."""
    before = [(module, module.budget, module.optimized) for module in modules]
    for module in modules:
        module.set_budget(max_iterations=1)
        module.optimize_for_inference(False)
    try:
        yield
    finally:
        for module, budget, optimized in before:
            module.use_budget(budget)
            module.optimize_for_inference(optimized)


def _by_child(model: nn.Module, counter: FlopCounterMode) -> dict[str, int]:
    """MACs by child of the model.

    The counter knows modules that were called. Some heads run by ``head.forward(...)``, so the
    outermost called modules of each child are added up.
    """
    root = type(model).__name__
    macs = {name: sum(ops.values()) // 2 for name, ops in counter.get_flop_counts().items()}
    totals = {}
    for child, _ in model.named_children():
        prefix = f'{root}.{child}'
        called = [name for name in macs if name == prefix or name.startswith(f'{prefix}.')]
        outermost = (n for n in called if not any(n.startswith(f'{other}.') for other in called))
        totals[child] = sum(macs[name] for name in outermost)
    elsewhere = counter.get_total_flops() // 2 - sum(totals.values())
    return {**totals, ELSEWHERE: elsewhere} if elsewhere else totals
