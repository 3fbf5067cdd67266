"""MACs of a whole detector, segmentor or classifier.

MACs are half of what torch's FlopCounterMode counts in one real run: one multiply-add is 1
MAC. The run is made at one iteration of each block, so that it is fast; what the iterative
modules cost at any number of iterations is in their MAC tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple

import torch
from mmengine.structures import InstanceData
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ...core.adaptive import AdaptiveModule
from ...core.macs import MacTable, Size
from ..configs import random_input
from ..traces import counts_of, iterative_modules
from .uncounted import uncounted_calls

ELSEWHERE = '(elsewhere)'  # not within any child's call


class IterativeMacs(NamedTuple):
    """What one iterative module costs for one image; its MACs are those of all rows."""

    name: str  # in the model, such as roi_head.shared_head
    child: str  # of the model that it is or belongs to
    module: AdaptiveModule
    rows: int  # of its calls: images or RoIs
    table: MacTable  # of one row
    limits: tuple[int, ...]  # L' of each block
    lowest: int  # MACs at one iteration of each block
    highest: int  # at all iterations the budget allows
    resnet: int  # in the plain ResNet of the same shape


class ModelMacs(NamedTuple):
    """What a model costs for one image."""

    input_size: Size  # (H, W) of the network's input in pixels, padding included
    rest: dict[str, int]  # MACs outside the iterative modules, by child of the model
    lowest: dict[str, int]  # MACs at one iteration of each block, by child
    highest: dict[str, int]  # at all iterations the budget allows
    iterative: tuple[IterativeMacs, ...]  # one for each module and size of its input
    uncounted: Counter[str]  # calls of operators that the numbers do not contain


@torch.no_grad()
def count_macs(model: nn.Module, size: Size, num_proposals: int | None = None) -> ModelMacs:
    """Run a model once on an image of noise and count.

    The model is mmdet's, mmseg's or mmpretrain's (ValueError for others), in evaluation mode, on the
    CPU; the ``size`` is (H, W) in pixels, before the data preprocessor pads. None for ``num_proposals``
    takes what the RPN of a two-stage detector predicts.
    """
    data = random_input(model, size)
    names = iterative_modules(model)
    with (
        _one_iteration(names) as rows,
        fixed_proposals(model, num_proposals),
        uncounted_calls() as uncounted,
        FlopCounterMode(display=False) as counter,
    ):
        model(**data, mode='tensor')
    iterative = tuple(_iterative(names[m], m, size, n) for (m, size), n in rows.items())
    lowest = _by_child(model, counter)
    rest, highest = Counter(lowest), Counter(lowest)
    for each in iterative:
        rest[each.child] -= each.lowest
        highest[each.child] += each.highest - each.lowest
    height, width = data['inputs'].shape[-2:]
    return ModelMacs((height, width), dict(rest), lowest, dict(highest), iterative, uncounted)


def _iterative(name: str, module: AdaptiveModule, size: Size, rows: int) -> IterativeMacs:
    table, plain = counts_of(module, size)
    limits = tuple(chain(*module.limits()))
    bounds = table.lowest, table.total(limits, limits), plain
    return IterativeMacs(
        name, name.split('.')[0], module, rows, table, limits, *(rows * macs for macs in bounds)
    )


@contextmanager
def _one_iteration(
    modules: Iterable[AdaptiveModule],
) -> Iterator[Counter[tuple[AdaptiveModule, Size]]]:
    """Yields the rows of the calls, by module and input size.

    Modules run in the plain form: the counter does not know the operators of the other.
    """
    rows: Counter[tuple[AdaptiveModule, Size]] = Counter()

    def note(module: AdaptiveModule, *_: Any) -> None:
        rows[module, module.trace.input_size] += len(module.trace.iterations)

    before = [(m, m.budget, m.optimized, m.register_forward_hook(note)) for m in modules]
    for module in modules:
        module.set_budget(max_iterations=1)
        module.optimize_for_inference(False)
    try:
        yield rows
    finally:
        for module, budget, optimized, handle in before:
            module.use_budget(budget)
            module.optimize_for_inference(optimized)
            handle.remove()


def _by_child(model: nn.Module, counter: FlopCounterMode) -> dict[str, int]:
    """Counted MACs by child of the model.

    The counter knows modules that were called. Some heads run by ``head.forward(...)``, so the
    outermost called modules of each child are added up.
    """
    root = type(model).__name__
    macs = {name: sum(ops.values()) // 2 for name, ops in counter.get_flop_counts().items()}
    totals = {}
    for child, _ in model.named_children():
        called = [name for name in macs if f'{name}.'.startswith(f'{root}.{child}.')]
        outermost = (n for n in called if not any(n.startswith(f'{other}.') for other in called))
        totals[child] = sum(macs[name] for name in outermost)
    elsewhere = counter.get_total_flops() // 2 - sum(totals.values())
    return {**totals, ELSEWHERE: elsewhere} if elsewhere else totals


def most_proposals(model: nn.Module) -> int | None:
    """``test_cfg.rpn.max_per_img``; None where no RPN of the model proposes regions."""
    rpn = (getattr(model, 'test_cfg', None) or {}).get('rpn')
    return rpn.get('max_per_img') if rpn and hasattr(model, 'rpn_head') else None


@contextmanager
def fixed_proposals(model: nn.Module, number: int | None) -> Iterator[None]:
    """Make the RPN predict exactly ``number`` proposals an image; None changes nothing.

    Too many are cut, too few repeated: random weights propose too few. A RoI costs the same
    wherever it lies.
    """
    if number is None:
        yield
        return
    head: Any = model.rpn_head
    predict = head.predict

    def exactly(*args: Any, **kwargs: Any) -> list[InstanceData]:
        zero = torch.zeros(1)
        none = InstanceData(bboxes=torch.zeros(1, 4), scores=zero, labels=zero.long())
        found = (proposals if len(proposals) else none for proposals in predict(*args, **kwargs))
        return [proposals[torch.arange(number) % len(proposals)] for proposals in found]

    head.predict = exactly
    try:
        yield
    finally:
        del head.predict  # the class's method shows again
