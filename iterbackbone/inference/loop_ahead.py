"""The adaptive loop for devices that must not be waited for.

Whether rows go on is read one iteration late, while the next one is already queued: it changes no
result, as the outputs of halted rows get weight 0, and costs at most one surplus iteration.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.loop import BlockResult
from ..core.settings import RunSettings
from .block_run import BlockRun
from .layout import pixels
from .rows import Batch, Scores, iterate, start

WORTH_MOVING = 0.5  # rows are moved together once so few of them go on


class Running:
    """Which rows go on after an iteration, and how many: a number on its way to the host."""

    def __init__(self, running: Tensor) -> None:
        self.rows = running
        self._count = running.sum()
        self._arrived: torch.cuda.Event | None = None
        if running.is_cuda:
            number = torch.empty((), dtype=self._count.dtype, pin_memory=True)
            self._count = number.copy_(self._count, non_blocking=True)
            self._arrived = torch.cuda.Event()
            self._arrived.record()

    def count(self) -> int:
        """Waits for this iteration, not for those queued since."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return int(self._count)


def run_ahead(run: BlockRun, x: Tensor, limit: int, settings: RunSettings) -> BlockResult:
    """As :func:`~iterbackbone.inference.loop.run_form`, ``executed`` being what was run."""
    count, size = len(x), (x.shape[2], x.shape[3])
    rows, batch = start(pixels(x), limit), Batch(count, x.device)
    scores = Scores(settings.record_scores, count, limit, x.device)
    before: Running | None = None
    for i in range(limit):
        score = iterate(run, rows, i, limit, settings.threshold, size, halted_stay=True)
        scores.record(rows, i, score)
        if i == limit - 1:
            break
        now = Running(rows.halting.running)
        going_on = len(rows.position) if before is None else before.count()
        if going_on == 0:
            break
        if before is not None and going_on <= WORTH_MOVING * len(rows.position):
            order = before.rows.argsort(descending=True, stable=True)
            batch.take(rows, order[going_on:], i + 1)
            rows.select(order[:going_on])
            now.rows = rows.halting.running
        before = now
    batch.take(rows, torch.arange(len(rows.position), device=x.device), i + 1)
    return batch.result(size, i + 1, scores.table)
