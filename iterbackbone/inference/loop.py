"""The adaptive loop of the inference form: Algorithm 1 in place, halted rows leave the batch.

It differs from :mod:`iterbackbone.core.loop` in that nothing is kept for a backward pass: states and
outputs are overwritten, and running rows move into the places of halted ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..core import act
from ..core.block import IterativeBlock
from ..core.loop import BlockResult, RunSettings
from .folding import ScaledSum
from .kernels import Kernel, Size, conv_norm_relu, images, linear_norm, pixels
from .rows import Batch, Rows, start
from .update import update

WORTH_MOVING = 0.5  # on a device that is not waited for, rows move once so few of them go on


class BlockRun:
    """One run of a block's loop with the norms, those of :func:`.built.norms_of`, folded.

    States have ``size`` pixels; ``limit`` is L'.
    """

    def __init__(self, block: IterativeBlock, norms: list[ScaledSum], limit: int, size: Size) -> None:
        self.block, self.limit, self.size = block, limit, size
        self.norms = [norms[i::limit] for i in range(limit)]  # of each iteration
        self.kernels = [Kernel(conv) for conv, _ in block.layers()[:-1]]

    def iterate(self, rows: Rows, i: int, threshold: float, halted_stay: bool) -> Tensor:
        """Iteration ``i``, from 0, of ``rows``, in place; returns the halting scores, (M,) float32.

        Where ``halted_stay`` some of ``rows`` may have halted.
        """
        onto = rows.part()
        if i > 0 and rows.output is None:  # the first iteration's weight is 1: output and state agree
            rows.output = torch.empty_like(rows.state)
        x = images(rows.state, self.size)
        *hidden_norms, last = self.norms[i]
        for kernel, norm in zip(self.kernels, hidden_norms, strict=True):
            x = conv_norm_relu(x, kernel(x), norm, kernel.conv)
        weight = self.block.conv3.weight.flatten(1).to(x.dtype)

        def y_of(hidden: Tensor) -> Tensor:
            y = linear_norm(hidden, weight, last)
            return y.relu_() if self.block.last_relu else y

        shares = act.output_weight(rows.halting)
        halted = ~rows.halting.running if halted_stay and i > 0 else None
        total = update(pixels(x), y_of, rows.state, rows.output, onto, shares, halted)
        if i == self.limit - 1:
            score = torch.ones_like(rows.halting.cumulative)
        else:
            state_mean, mean = rows.pooled.unbind(1)
            torch.div(total, rows.state.shape[1], out=mean)
            state_mean.add_(mean)
            assert self.block.halting is not None
            score = self.block.halting.score(rows.pooled)
        rows.halting = act.advance(rows.halting, score, threshold)
        return score


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
    """:func:`iterbackbone.core.loop.run_iterations` in ``active`` execution; overwrites ``x``, s_0.

    Where ``late``, for devices that must not be waited for, it is read one iteration late which rows
    go on, while the next one is already queued. It changes no output, as halted rows get weight 0, and
    costs at most one surplus iteration, which ``executed`` counts.
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
    if late:  # without asking the device where they are
        order = running.argsort(descending=True, stable=True)
        batch.take(rows, order[going_on:], steps)
        rows.select(order[:going_on])
    else:
        batch.take(rows, (~running).nonzero().flatten(), steps)
        rows.drop_halted(going_on)
