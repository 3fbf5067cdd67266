"""The adaptive loop: apply one residual function to a state until every row has halted.

One loop, two executions, which give the same features, iterations and costs in evaluation:

- ``masked``: all rows go through each iteration that any row still needs; halted rows get
  weight 0. BatchNorm in training sees all rows.
- ``active``: halted rows leave the batch, so the cost follows the rows. BatchNorm in
  training sees the rows still running, as in evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import act
from .halting import mean_over_pixels
from .iteration import Iteration

HaltingScore = Callable[[Tensor, Tensor], Tensor]


class RunSettings(NamedTuple):
    """How a forward pass runs."""

    rows_leave: bool  # whether halted rows leave the batch (active) or stay (masked)
    threshold: float  # 1 - epsilon, or the runtime budget's halting threshold
    record_scores: bool
    any_running: Callable[[Tensor], Any] = torch.any  # whether to go on, from the rows' flags


class BlockResult(NamedTuple):
    """What one iterative block did to B rows."""

    output: Tensor  # (B, C, H, W), the weighted sum of the states
    iterations: Tensor  # N, (B,) int64
    executed: Tensor  # (B,) int64, iterations computed for the row: N, or more where it stayed on
    ponder_cost: Tensor  # N + R, (B,) float32
    steps: int  # iterations the loop ran
    scores: Tensor | None  # (B, limit) float32, NaN where none was used; None unless asked


class _Part(NamedTuple):
    """Rows that are done: where they stand in the batch and what is returned of them."""

    position: Tensor
    output: Tensor
    halting: act.HaltingState


class _Rows(NamedTuple):
    """The rows in the batch: their positions and everything the loop carries for them."""

    position: Tensor
    state: Tensor
    output: Tensor
    pooled_state: Tensor
    halting: act.HaltingState

    def select(self, rows: Tensor) -> _Rows:
        position, state, output, pooled = (take_rows(field, rows) for field in self[:4])
        return _Rows(position, state, output, pooled, self.halting.select(rows))

    def part(self, rows: Tensor) -> _Part:
        position, output = self.position.index_select(0, rows), take_rows(self.output, rows)
        return _Part(position, output, self.halting.select(rows))


def take_rows(x: Tensor, rows: Tensor) -> Tensor:
    """``x[rows]``, (M,) int64, of the same memory format, which ``index_select`` loses."""
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return x.movedim(1, -1).index_select(0, rows).movedim(-1, 1)
    return x.index_select(0, rows)


def run_iterations(
    iteration: Iteration,
    halting_score: HaltingScore,
    state: Tensor,
    limit: int,
    settings: RunSettings,
) -> BlockResult:
    """Algorithm 1 for a batch.

    Args:
        iteration: See :mod:`iterbackbone.core.iteration`.
        halting_score: ``(mean of s_i, mean of y_i) -> h``, (B, C) float32 -> (B,) float32.
            Not called at the last allowed iteration, where h is 1.
        state: s_0, (B, C, H, W).
        limit: Highest number of iterations, at least 1.
    """
    size = len(state)
    position = torch.arange(size, device=state.device)
    # Read by the halting unit only.
    pooled = mean_over_pixels(state) if limit > 1 else state.new_empty(size, 0)
    rows = _Rows(position, state, state, pooled, act.initial_state(size, state.device))
    scores = None
    if settings.record_scores:
        scores = state.new_full((size, limit), torch.nan, dtype=torch.float32)
    halted: list[_Part] = []
    for i in range(limit):
        running, output = rows.halting.running, None if settings.rows_leave else rows.output
        last = i == limit - 1
        rows, score = _iterate(iteration, halting_score, rows, i, last, settings.threshold)
        if output is not None:  # a weight of 0 would not keep an infinite y out of it
            output = torch.where(running.view(-1, 1, 1, 1), rows.output, output)
            rows = rows._replace(output=output)
        if scores is not None:
            used = rows.halting.iterations == i + 1
            scores[rows.position[used], i] = score.detach()[used]
        if last or not settings.any_running(rows.halting.running):
            break
        if settings.rows_leave:
            rows, part = _set_aside_halted(rows)
            if part is not None:
                halted.append(part)
    parts = [*halted, _Part(rows.position, rows.output, rows.halting)]
    return _assemble(parts, i + 1, settings.rows_leave, scores)


def _iterate(
    iteration: Iteration,
    halting_score: HaltingScore,
    rows: _Rows,
    i: int,
    last: bool,
    threshold: float,
) -> tuple[_Rows, Tensor]:
    """The rows after iteration i, from 0, and its score, (B,); the ``last`` one's is always 1."""
    # At i = 0 the remainder is 1: the output is s_0 + y_1.
    weight = act.output_weight(rows.halting).view(-1, 1, 1, 1) if i else None
    state, output, pooled_output = iteration(rows.state, rows.output, weight, i, last)
    pooled = rows.pooled_state
    if pooled_output is None:
        score = torch.ones_like(rows.halting.cumulative)
    else:
        pooled = pooled + pooled_output  # mean(s_i) = mean(s_{i-1}) + mean(y_i)
        score = halting_score(pooled, pooled_output)
    return _Rows(
        rows.position, state, output, pooled, act.advance(rows.halting, score, threshold)
    ), score


def _set_aside_halted(rows: _Rows) -> tuple[_Rows, _Part | None]:
    """The rows that go on and, where some do not, those; copied only where there are both.

    The list of halted rows stays outside: under torch.compile a call with both, of which one tensor
    stands twice in ``rows`` after the first iteration, ends in an IndexError of torch 2.12's guards.
    """
    running = rows.halting.running.nonzero().flatten()
    if len(running) == len(rows.position):
        return rows, None
    return rows.select(running), rows.part((~rows.halting.running).nonzero().flatten())


def _assemble(parts: list[_Part], steps: int, rows_leave: bool, scores: Tensor | None) -> BlockResult:
    """Put the rows back into the batch's order."""
    output = parts[0].output if len(parts) == 1 else torch.cat([p.output for p in parts])
    iterations = torch.cat([p.halting.iterations for p in parts])
    cost = torch.cat([act.ponder_cost(p.halting) for p in parts])
    if len(parts) > 1:
        order = torch.cat([p.position for p in parts]).argsort()
        output, iterations, cost = (take_rows(t, order) for t in (output, iterations, cost))
    executed = iterations if rows_leave else torch.full_like(iterations, steps)
    return BlockResult(output, iterations, executed, cost, steps, scores)
