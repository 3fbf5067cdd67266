"""Fits the halting units of a model's blocks, one after the other, all at one common price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ..core.adaptive import AdaptiveModule
from ..core.block import IterativeBlock
from ..core.budget_table import TO_THE_CAP, Setting
from ..core.halting import never_halt
from ..core.normalization import last_trained
from .index import UnitFit, fit_index, fit_unit, stopped_at
from .static import Depths, Outcome, Point, at_all_depths, depth_grid

FOLDS = 10  # of the sources; the first chooses between a unit's forms


class BlockRows(NamedTuple):
    """One block at several depths, all else being equal, row by row: its rows are images or regions."""

    inputs: Tensor | None  # of its unit, (L - 1, R, D); None where the losses are of whole images
    losses: Tensor  # at each depth, (R, len(depths)) float64
    images: Tensor  # place of each row's image, (R,) int64


class Runs(Protocol):
    """Runs of a model over the fitting images."""

    modules: Sequence[AdaptiveModule]

    def losses(self, depths: Depths) -> Outcome:
        """At given depths of all blocks."""

    def rows(self, block: int, depths: Sequence[Depths]) -> BlockRows:
        """A block's, at given depths of all blocks; its own ascend to L, the others' are the same."""

    def policy(self, setting: Setting) -> Outcome:
        """At this setting of all blocks."""


@dataclass(frozen=True, eq=False)
class FittedBlock:
    """A block's fit."""

    unit: UnitFit | None  # None where the gains cannot be predicted, or L is 1
    correlation: float | None  # of predicted and true gains, held out; None without inputs
    indices: Tensor  # of the rows by the unit, (L - 1, R); empty without one
    losses: Tensor  # by depth, (R, L)
    price: float  # MACs of an iteration as a share of the full MACs

    @cached_property
    def _lasts(self) -> Tensor:
        """Prices up to which a row goes on from one of its iterations, of all, ascending."""
        return self.indices.cummin(dim=0).values.flatten().sort().values

    def share(self, constant: int, price: float) -> float:
        """Of the full MACs, above one iteration, promised at a price; a ``constant`` without a unit."""
        if self.unit is None:
            return (constant - 1) * self.price
        steps = len(self._lasts) - int(torch.searchsorted(self._lasts, price, right=True))
        return steps / len(self.losses) * self.price

    def change(self, constant: int, price: float) -> float:
        """Mean loss against one iteration, promised at the same."""
        depths = torch.full((len(self.losses),), constant)
        if self.unit is not None:
            depths = stopped_at(self.indices, price)
        reached = self.losses.gather(1, depths.unsqueeze(1) - 1).squeeze(1)
        return float((reached - self.losses[:, 0]).mean())

    def halting(self, constant: int, price: float) -> tuple[float, int]:
        """The offset and the cap at the same."""
        if self.unit is None:
            return TO_THE_CAP, constant
        return self.unit.offset(price), self.losses.shape[1]


def all_blocks(modules: Sequence[AdaptiveModule]) -> list[IterativeBlock]:
    """The blocks of all modules, in order."""
    return [block for module in modules for block in module.iterative_blocks()]


def silence(modules: Sequence[AdaptiveModule]) -> None:
    """Let every block run all its iterations, its last state being the output.

    ValueError where training has not reached its last iterations, or its unit is too small.
    """
    for module in modules:
        module.set_budget()
        module.set_budget_table(None)
    for block in all_blocks(modules):
        if block.halting is None:
            continue
        limit = block.max_iterations
        if (trained := last_trained(block.norm1) or limit) < limit:
            raise ValueError(
                f'checkpoint must be trained at all depths (AnytimeHook), a block of {limit} '
                f'iterations was trained to {trained}'
            )
        if block.halting.fc1.out_features < 2:
            raise ValueError('halting.hidden must be at least 2 to be fitted, got 1')
        never_halt(block.halting)


def fit_block(
    runs: Runs, base: Depths, k: int, block: IterativeBlock, full_macs: float, folds: Tensor
) -> FittedBlock:
    """Fit a silenced model's ``block``, number ``k`` of all, the others standing at ``base``.

    ``full_macs`` is the mean of all iterations, ``folds``, (N,) int64, are those of the images.
    """
    grid = depth_grid(block.max_iterations)
    depths = [(*base[:k], depth, *base[k + 1 :]) for depth in grid]
    rows = runs.rows(k, depths)
    losses = at_all_depths(rows.losses, grid)
    added = runs.losses(depths[-1]).cost - runs.losses(depths[0]).cost
    price = added / full_macs / max(block.max_iterations - 1, 1)
    none = losses[:, :0].T
    if block.halting is None or rows.inputs is None:
        return FittedBlock(None, None, none, losses, price)
    own_folds = folds[rows.images]
    used = own_folds > 0
    index, correlation = fit_index(rows.inputs[:, used], losses[used], price, own_folds[used])
    if index is None:
        return FittedBlock(None, correlation, none, losses, price)
    unit = fit_unit(rows.inputs, losses, index, ~used, block.halting.fc1.out_features)
    unit.install(block.halting)
    return FittedBlock(unit, correlation, unit(rows.inputs.float()).double(), losses, price)


def by_module(setting: Setting, modules: Sequence[AdaptiveModule]) -> list[Setting]:
    """A setting of all blocks as one of each module's."""
    ends = accumulate((len(module.max_iterations) for module in modules), initial=0)
    return [Setting(setting.offsets[a:b], setting.caps[a:b]) for a, b in pairwise(ends)]


def candidates(path: Sequence[Point], fitted: Sequence[FittedBlock]) -> list[Depths]:
    """Depths of the blocks without a unit along the static path, each once."""
    found = (
        tuple(d if f.unit is None else 1 for d, f in zip(p.depths, fitted, strict=True)) for p in path
    )
    return list(dict.fromkeys(found))
