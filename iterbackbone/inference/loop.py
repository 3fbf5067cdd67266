"""The adaptive loop of the inference form: Algorithm 1 in place, halted rows leave the batch.

It differs from :mod:`iterbackbone.core.loop` in that nothing is kept for a backward pass: states and
outputs are overwritten, and running rows move into the places of halted ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.loop import BlockResult, RunSettings
from .block_run import BlockRun
from .kernels import pixels
from .rows import Batch, Rows, start

WORTH_MOVING = 0.5  # on a device that is not waited for, rows move once so few of them go on


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


def run_form(run: BlockRun, x: Tensor, settings: RunSettings, late: bool) -> BlockResult:
    """What :func:`iterbackbone.core.loop.run_iterations` does in ``active`` execution.

    Args:
        run: Of the block.
        x: s_0, (B, C, H, W) channels_last; overwritten.
        settings: Threshold and what to record.
        late: Whether to read which rows go on one iteration late, while the next one is already
            queued, for devices that must not be waited for. It changes no output, as halted rows get
            weight 0, and costs at most one surplus iteration, which ``executed`` counts.
    """
    count, limit = len(x), run.limit
    rows = start(pixels(x), limit)
    batch = Batch(count, limit if settings.record_scores else None, x.device)
    queued: Running | None = None
    for i in range(limit):
        score = run.iterate(rows, i, settings.threshold, halted_stay=late)
        batch.record(rows, i, score)
        if i == limit - 1:
            break
        known: Running | None = Running(rows.halting.running)
        if late:
            known, queued = queued, known
        going_on = count if known is None else known.count()
        if going_on == 0:
            break
        if known is not None and _worth_moving(going_on, rows, late):
            _set_aside_halted(rows, batch, known.rows, going_on, i + 1, late)
            if queued is not None:
                queued.rows = rows.halting.running
    batch.take(rows, torch.arange(len(rows.position), device=x.device), i + 1)
    return batch.result(run.size, i + 1)


def _worth_moving(going_on: int, rows: Rows, late: bool) -> bool:
    size = len(rows.position)
    return going_on <= WORTH_MOVING * size if late else going_on < size


def _set_aside_halted(
    rows: Rows, batch: Batch, running: Tensor, going_on: int, steps: int, late: bool
) -> None:
    """Halted rows leave the batch."""
    if late:  # without asking the device where they are
        order = running.argsort(descending=True, stable=True)
        batch.take(rows, order[going_on:], steps)
        rows.select(order[:going_on])
    else:
        batch.take(rows, (~running).nonzero().flatten(), steps)
        rows.drop_halted(going_on)
