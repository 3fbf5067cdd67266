"""The adaptive loop of the inference form: Algorithm 1, halted rows leave the batch.

Nothing is kept for a backward pass, unlike in :mod:`iterbackbone.core.loop`: states and outputs are
overwritten, and running rows move into the places of halted ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import act
from ..core.block import IterativeBlock
from ..core.halting import INPUTS
from ..core.layers import Size
from ..core.loop import BlockResult, RunSettings
from .folding import ScaledSum
from .kernels import Kernel, conv_norm_relu, images, linear_norm, pixels, update

WORTH_MOVING = 0.5  # on a device that is not waited for, rows move once so few of them go on


@dataclass
class Rows:
    """The rows still running, and where in the batch each belongs."""

    position: Tensor  # (M,)
    state: Tensor  # (M, H * W, C)
    output: Tensor | None  # the same; None as long as it equals the state
    means: Tensor  # (M, 2, C) float32, of state and y over the pixels
    halting: act.HaltingState

    def part(self) -> Tensor:
        """The block's output so far."""
        return self.state if self.output is None else self.output

    def drop_halted(self, going_on: int) -> None:
        """Keep ``going_on`` rows: the last ones move into the places of halted ones."""
        running = self.halting.running
        order = torch.arange(going_on, device=running.device)
        free = (~running[:going_on]).nonzero().flatten()
        moved = running[going_on:].nonzero().flatten() + going_on
        order[free] = moved
        for rows in (self.state, self.output):
            if rows is not None:
                rows[free] = rows[moved]
        self.select(order, slice(going_on))

    def select(self, order: Tensor, places: Tensor | slice) -> None:
        """Keep the rows of this ``order``, whose state and output are at these ``places``."""
        self.state = self.state[places]
        self.output = None if self.output is None else self.output[places]
        self.position, self.means = self.position[order], self.means[order]
        self.halting = self.halting.select(order)


class Batch:
    """What is known of ``count`` rows at the end; ``limit`` is L' where scores are asked for."""

    def __init__(self, count: int, limit: int | None, device: torch.device) -> None:
        self.output: Tensor | None = None
        self.scores: Tensor | None = None
        if limit is not None:
            self.scores = torch.full((count, limit), torch.nan, device=device, dtype=torch.float32)
        self.iterations = torch.zeros(count, dtype=torch.int64, device=device)
        self.executed = torch.zeros(count, dtype=torch.int64, device=device)
        self.cost = torch.zeros(count, dtype=torch.float32, device=device)

    def record(self, rows: Rows, i: int, score: Tensor) -> None:
        """Keep ``score``, (M,), of those rows that iteration ``i`` counted for."""
        if self.scores is not None:
            used = rows.halting.iterations == i + 1
            self.scores[rows.position, i] = score.where(used, torch.nan)

    def take(self, rows: Rows, chosen: Tensor, steps: int) -> None:
        """Take over the ``chosen`` ((K,) int64) of ``rows``, which ran ``steps`` iterations."""
        position = rows.position[chosen]
        self.executed[position] = steps
        self.iterations[position] = rows.halting.iterations[chosen]
        self.cost[position] = act.ponder_cost(rows.halting)[chosen]
        output = rows.part()
        if self.output is None and len(chosen) == len(self.iterations):  # none has moved
            self.output = output
            return
        if self.output is None:
            self.output = output.new_empty(len(self.iterations), *output.shape[1:])
        self.output[position] = output[chosen]

    def result(self, size: Size, steps: int) -> BlockResult:
        """Of the block, once all rows were taken over, from a loop of ``steps`` iterations."""
        assert self.output is not None
        output = images(self.output, size)
        return BlockResult(output, self.iterations, self.executed, self.cost, steps, self.scores)


class BlockRun:
    """One run of a block's loop, at most ``limit`` iterations of states of ``size``, norms folded."""

    def __init__(self, block: IterativeBlock, norms: list[ScaledSum], limit: int, size: Size) -> None:
        self.block, self.limit, self.size = block, limit, size
        self.norms = [norms[i::limit] for i in range(limit)]  # of each iteration
        self.kernels = [Kernel(conv) for conv, _ in block.layers()[:-1]]

    def iterate(self, rows: Rows, i: int, threshold: float, halted_stay: bool) -> Tensor:
        """Iteration ``i``, from 0, of ``rows``, in place; returns the halting scores, (M,) float32."""
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
            state_mean, mean = rows.means.unbind(1)
            torch.div(total, rows.state.shape[1], out=mean)
            state_mean.add_(mean)
            assert self.block.halting is not None
            score = self.block.halting.score(rows.means)
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
    go on, while the next one is already queued, and rows stay until half of them have halted. It
    changes no output, as halted rows get weight 0; ``executed`` counts their surplus iterations.
    """
    count, limit = len(x), run.limit
    rows = _start(pixels(x), limit)
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
        size = len(rows.position)
        worth_moving = going_on <= WORTH_MOVING * size if late else going_on < size
        if known is not None and worth_moving:
            _set_aside_halted(rows, batch, known.rows, going_on, i + 1, late)
            if queued is not None:
                queued.rows = rows.halting.running
    batch.take(rows, torch.arange(len(rows.position), device=x.device), i + 1)
    return batch.result(run.size, i + 1)


def _set_aside_halted(
    rows: Rows, batch: Batch, running: Tensor, going_on: int, steps: int, late: bool
) -> None:
    """Take what halted out of ``rows``, in place; ``going_on`` of them are ``running``."""
    if late:  # without asking the device where they are
        order = running.argsort(descending=True, stable=True)
        kept, halted = order[:going_on], order[going_on:]
        batch.take(rows, halted, steps)
        rows.select(kept, kept)
    else:
        batch.take(rows, (~running).nonzero().flatten(), steps)
        rows.drop_halted(going_on)


def _start(state: Tensor, limit: int) -> Rows:
    """All rows at s_0, (B, H * W, C)."""
    count, _, channels = state.shape
    means = torch.empty(count, len(INPUTS), channels, dtype=torch.float32, device=state.device)
    if limit > 1:
        torch.mean(state, dim=1, dtype=torch.float32, out=means[:, 0])
    position = torch.arange(count, device=state.device)
    return Rows(position, state, None, means, act.initial_state(count, state.device))
