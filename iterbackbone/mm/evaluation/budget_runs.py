"""What an evaluation's images score at static budgets, and what adapting gains over these."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.runner import Runner
from mmengine.runner.amp import autocast

from ...core.adaptive import AdaptiveModule
from ...core.budget_table import Setting
from .logged_evaluation import LoggedEvaluation

BUDGETS = 4


class BudgetRuns:
    """Runs some batches again: as the network halts by itself, and at static budgets.

    The budgets' depths lie evenly between one iteration and all. Each run has a log of its own beside
    the ``evaluation``'s, of about so many ``images``.
    """

    def __init__(self, runner: Runner, mode: str, evaluation: LoggedEvaluation, images: int) -> None:
        loop = getattr(runner, f'{mode}_loop')
        self._step = getattr(runner.model, f'{mode}_step')
        self._fp16 = getattr(loop, 'fp16', False)
        self._every = max(1, len(loop.dataloader.dataset) // images)
        self._modules = evaluation.collector.modules
        depths: dict[str, list[list[int]] | None] = {}
        for share in np.linspace(0, 1, BUDGETS):
            found = [[1 + round(share * (n - 1)) for n in m.max_iterations] for m in self._modules]
            depths['-'.join(map(str, chain(*found)))] = found
        depths['policy'] = None  # last: other hooks may read its trace
        self._runs = [(each, evaluation.of_some(name)) for name, each in depths.items()]

    def run(self, batch_idx: int, batch: Any) -> None:
        """Run a batch, unless it is one of those that are left out."""
        if batch_idx % self._every:
            return
        for depths, log in self._runs:
            own = copy.deepcopy(batch)  # its data samples take the results
            log.begin_batch(batch_idx)
            with at_depths(self._modules, depths), autocast(enabled=self._fp16):
                outputs = self._step(own)
            log.write(batch_idx, own, outputs)

    def publish(self, runner: Runner) -> Iterator[tuple[list[Path], str]]:
        """Merge the ranks' parts; on the main process each pass's folders (policy last) and label."""
        found = []
        for depths, log in self._runs:
            with at_depths(self._modules, depths):  # the model's own budget is the policy's
                found.append(list(log.publish(runner, None)))
        for runs in zip(*found, strict=True):
            yield [folder for folder, _ in runs], runs[-1][1]


@contextmanager
def at_depths(
    modules: Sequence[AdaptiveModule], depths: Sequence[Sequence[int]] | None
) -> Iterator[None]:
    """Stop all rows at each module's depths, (K,), whatever its budget; None changes nothing."""
    budgets = [module.budget for module in modules]
    if depths is not None:
        for module, each in zip(modules, depths, strict=True):
            module.set_budget()
            module.apply_setting(Setting.static(each))
    try:
        yield
    finally:  # out of memory, too, leaves a model that halts by itself
        for module, budget in zip(modules, budgets, strict=True):
            module.use_budget(budget)
