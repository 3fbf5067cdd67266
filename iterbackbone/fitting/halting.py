"""Fits the halting units of a model's blocks, one after the other, all at one common price."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ..core.adaptive import AdaptiveModule
from ..core.block import IterativeBlock
from ..core.budget_table import BudgetTable, Setting
from ..core.halting import never_halt
from ..core.normalization import last_trained
from .index import BlockIndex, BlockSamples, fit_index, stopped_at
from .static import Depths, Outcome, Point
from .unit import UnitFit, fit_unit

HELD_OUT = 10  # one of so many folds chooses between a unit's forms
NEVER = -1e4  # offset of a block that goes on up to its cap


class Runs(Protocol):
    """Runs of a model over the fitting images."""

    modules: Sequence[AdaptiveModule]

    def losses(self, depths: Depths) -> Outcome:
        """At given depths of all blocks."""

    def inputs(self, depths: Depths, block: int) -> Tensor:
        """Of a block's halting unit in all its iterations, (L - 1, N, D), others at ``depths``."""

    def fittable(self, block: int) -> bool:
        """Whether a block's rows are the images; others stand at a constant depth."""


class FittedBlock(NamedTuple):
    """A block's fit.

    Attributes:
        unit: None where the gains cannot be predicted, or L is 1.
        prediction: None where L is 1 or the block's rows are no images.
        indices: Of the fitting images, (L - 1, N).
        losses: By depth, (N, L).
        price: MACs of an iteration as a share of the full MACs.
    """

    unit: UnitFit | None
    prediction: BlockIndex | None
    indices: Tensor
    losses: Tensor
    price: float


def all_blocks(modules: Sequence[AdaptiveModule]) -> list[IterativeBlock]:
    """The blocks of all modules, in order."""
    return [b for m in modules for s in m.iterative_stages() for b in s.iterative_blocks()]


def silence(modules: Sequence[AdaptiveModule]) -> None:
    """Let every block run all its iterations, its last state being the output.

    Raises:
        ValueError: training has not reached a block's last iterations, or its unit is too small.
    """
    for module in modules:
        module.set_budget()
        module.set_budget_table(None)
    for block in all_blocks(modules):
        if block.halting is not None:
            if (trained := last_trained(block.norm1) or block.max_iterations) < block.max_iterations:
                raise ValueError(
                    f'checkpoint must be trained at all depths (AnytimeHook), a block of '
                    f'{block.max_iterations} iterations was trained to {trained}'
                )
            if block.halting.fc1.out_features < 2:
                raise ValueError('halting.hidden must be at least 2 to be fitted, got 1')
            never_halt(block.halting)


def fit_blocks(
    runs: Runs,
    base: Depths,
    full_macs: float,
    folds: Tensor,
    progress: Callable[[Iterable[int]], Iterable[int]],
) -> list[FittedBlock]:
    """Fit every block, the others standing at ``base``.

    Args:
        runs: Over the fitting images, of a silenced model.
        base: Depths of a static budget in the middle of those wanted.
        full_macs: Mean MACs of all iterations.
        folds: (N,) int64, of the images, for cross-validation.
        progress: Wraps the blocks' numbers, such as tqdm.
    """
    fitted = []
    for k in progress(range(len(base))):
        block = all_blocks(runs.modules)[k]
        options = [(*base[:k], d, *base[k + 1 :]) for d in range(1, block.max_iterations + 1)]
        outcomes = [runs.losses(depths) for depths in options]
        losses = torch.stack([o.losses for o in outcomes], dim=1)
        span = float(outcomes[-1].macs.mean() - outcomes[0].macs.mean()) / full_macs
        price = span / max(block.max_iterations - 1, 1)
        if block.halting is None or not runs.fittable(k):
            fitted.append(FittedBlock(None, None, losses[:, :0].T, losses, price))
            continue
        samples = BlockSamples(runs.inputs(base, k), losses, price, folds)
        held_out = folds % HELD_OUT == 0
        index = fit_index(samples.of(~held_out))
        indices = index(samples.inputs)
        unit = None
        if index.predictable:
            unit = fit_unit(samples, indices, held_out, block.halting.fc1.out_features)
            unit.install(block.halting)
            indices = unit(samples.inputs.float()).double()
        fitted.append(FittedBlock(unit, index, indices, losses, price))
    return fitted


def expected(fitted: Sequence[FittedBlock], constants: Depths, price: float) -> tuple[float, float]:
    """Share and change of loss that the fits promise, as if blocks did not act on each other.

    Args:
        fitted: All blocks.
        constants: Depth of each block that has no unit.
        price: Of going on, in loss over share of the full MACs.

    Returns:
        Share above one iteration everywhere, mean loss against that.
    """
    share = change = 0.0
    for block, constant in zip(fitted, constants, strict=True):
        rows = len(block.losses)
        depths = torch.full((rows,), constant)
        if block.unit is not None:
            depths = stopped_at(block.indices, price)
        share += float((depths - 1).double().mean()) * block.price
        reached = block.losses.gather(1, depths.unsqueeze(1) - 1).squeeze(1)
        change += float((reached - block.losses[:, 0]).mean())
    return share, change


def settings(
    fitted: Sequence[FittedBlock], modules: Sequence[AdaptiveModule], constants: Depths, price: float
) -> list[Setting]:
    """The setting of each module at a price."""
    pairs = []
    blocks = zip(fitted, all_blocks(modules), constants, strict=True)
    for fit, block, constant in blocks:
        free = fit.unit is not None
        offset = fit.unit.offset(price) - fit.unit.offset(0.0) if fit.unit is not None else NEVER
        pairs.append((offset, block.max_iterations if free else constant))
    found = []
    for module in modules:
        own, pairs = pairs[: len(module.max_iterations)], pairs[len(module.max_iterations) :]
        found.append(Setting(*(tuple(values) for values in zip(*own, strict=True))))
    return found


def candidates(path: Sequence[Point], fitted: Sequence[FittedBlock]) -> list[Depths]:
    """Depths of the blocks without a unit along the static path, each once."""
    return list(
        dict.fromkeys(
            tuple(d if f.unit is None else 1 for d, f in zip(p.depths, fitted, strict=True))
            for p in path
        )
    )


def install_tables(
    modules: Sequence[AdaptiveModule], points: Sequence[tuple[float, list[Setting]]]
) -> None:
    """Give each module its column of (share, settings of all modules)."""
    for i, module in enumerate(modules):
        module.set_budget_table(BudgetTable.of([(share, each[i]) for share, each in points]))
