"""From a trained network to fitted halting: path, units, prices, and what they are worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..core.budget_table import BudgetTable
from .calibration import Calibrated, Calibration
from .halting import FOLDS, FittedBlock, Runs, all_blocks, by_module, candidates, fit_block
from .static import Depths, Outcome, block_curves, menu, middle, static_path

MENU = 8
STEP = 0.05  # of a share, between calibrated points


class Fit(NamedTuple):
    """All that fitting found: of the blocks, and of the policy and static budgets when calibrated."""

    blocks: list[FittedBlock]
    points: list[Calibrated]  # at each share
    menu: list[tuple[Depths, Outcome]]


def fit_halting(
    first: Runs,
    fitting: Runs,
    calibration: Runs,
    groups: Tensor,
    progress: Callable[..., Iterable[Any]] = lambda items, **_: items,
) -> Fit:
    """Fit the units of a silenced model and give its modules their budget tables.

    Args:
        first: Some of the fitting images, for a static budget in the middle, at which to fit.
        fitting: Images that the features were not trained on.
        calibration: Others, for prices and figures.
        groups: (N,) int64, the source of each fitting image; ValueError if there is only one.
        progress: Wraps loops; takes ``desc``, as tqdm does.
    """
    if len(groups.unique()) < 2:
        raise ValueError('--fit must have images of at least 2 sources, it has fewer')
    modules = fitting.modules
    limits = tuple(n for m in modules for n in m.max_iterations)
    base = middle(static_path(*block_curves(first.losses, limits)))
    full = fitting.losses(limits).cost
    folds, every = folds_of(groups), list(enumerate(all_blocks(modules)))
    blocks = [
        fit_block(fitting, base, k, block, full, folds) for k, block in progress(every, desc='blocks')
    ]
    path = static_path([b.losses.mean(dim=0) for b in blocks], [b.price for b in blocks])
    static = [(p.depths, calibration.losses(p.depths)) for p in menu(path, MENU)]
    full = static[-1][1].cost
    lowest = static[0][1].cost / full
    calibrated = Calibration(calibration.policy, blocks, candidates(path, blocks), full, lowest)
    points = [calibrated.meet(share) for share in progress(shares_between(lowest), desc='shares')]
    calibrated.fill_gaps()
    kept = [(run.share, by_module(run.setting, modules)) for run in _ascending(calibrated.runs)]
    for i, module in enumerate(modules):
        module.set_budget_table(BudgetTable.of([(share, settings[i]) for share, settings in kept]))
    return Fit(blocks, points, static)


def folds_of(groups: Tensor) -> Tensor:
    """A fold for each image, (N,) int64: sources are dealt out at random."""
    sources, places = groups.unique(return_inverse=True)
    order = torch.randperm(len(sources), generator=torch.Generator().manual_seed(0))
    return (order % FOLDS)[places]


def shares_between(lowest: float) -> list[float]:
    """Shares to calibrate: multiples of ``STEP`` above the lowest, and both ends."""
    inner = [STEP * i for i in range(1, round(1 / STEP)) if lowest + STEP / 4 < STEP * i < 1]
    return [lowest, *inner, 1.0]


def _ascending(runs: Sequence[Calibrated]) -> list[Calibrated]:
    """Sorted by share; of runs that met nearly the same one only the first is kept."""
    kept: list[Calibrated] = []
    for run in sorted(runs, key=lambda r: r.share):
        if not kept or run.share - kept[-1].share > STEP / 50:
            kept.append(run)
    return kept
