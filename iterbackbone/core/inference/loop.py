"""The adaptive loop of the inference form: Algorithm 1 in place, halted rows leave the batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .. import act
from ..execution import BlockResult
from ..settings import RunSettings
from .block_form import BlockForm
from .layout import Size, images, pixels


@dataclass
class _Rows:
    """The rows still running, and where in the batch each belongs."""

    position: Tensor  # (M,)
    state: Tensor  # (M, H * W, C)
    output: Tensor | None  # the same; None as long as it equals the state
    pooled: Tensor  # (M, C) float32
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
        self.state = self.state[:going_on]
        self.output = None if self.output is None else self.output[:going_on]
        self.position, self.pooled = self.position[order], self.pooled[order]
        self.halting = self.halting.select(order)


class _Batch:
    """What is known of all rows at the end: outputs, iterations, costs."""

    def __init__(self, count: int, device: torch.device) -> None:
        self.output: Tensor | None = None
        self.iterations = torch.zeros(count, dtype=torch.int64, device=device)
        self.cost = torch.zeros(count, dtype=torch.float32, device=device)

    def take(self, rows: _Rows, chosen: Tensor) -> None:
        """Take over the ``chosen`` ((K,) int64) of ``rows``."""
        position = rows.position[chosen]
        self.iterations[position] = rows.halting.iterations[chosen]
        self.cost[position] = act.ponder_cost(rows.halting)[chosen]
        output = rows.part()
        if self.output is None and len(chosen) == len(self.iterations):  # none has moved
            self.output = output
            return
        if self.output is None:
            self.output = output.new_empty(len(self.iterations), *output.shape[1:])
        self.output[position] = output[chosen]


def run_form(form: BlockForm, x: Tensor, limit: int, settings: RunSettings) -> BlockResult:
    """What :func:`iterbackbone.core.execution.run_iterations` does in ``active`` execution.

    Args:
        form: Of the block.
        x: s_0, (B, C, H, W) channels_last; overwritten.
        limit: L'.
        settings: Threshold and what to record.
    """
    count, size = len(x), (x.shape[2], x.shape[3])
    rows, batch = _start(pixels(x), limit), _Batch(count, x.device)
    scores = x.new_full((count, limit), torch.nan, dtype=torch.float32)
    for i in range(limit):
        score = _iterate(form, rows, i, limit, settings.threshold, size)
        if settings.record_scores:
            scores[rows.position, i] = score
        running = rows.halting.running
        going_on = 0 if i == limit - 1 else int(running.sum())
        if going_on == 0:
            break
        if going_on < len(running):
            batch.take(rows, (~running).nonzero().flatten())
            rows.drop_halted(going_on)
        if rows.output is None:
            rows.output = rows.state.clone()
    batch.take(rows, torch.arange(len(rows.position), device=x.device))
    assert batch.output is not None
    return BlockResult(
        output=images(batch.output, size),
        iterations=batch.iterations,
        executed=batch.iterations,
        ponder_cost=batch.cost,
        steps=i + 1,
        scores=scores if settings.record_scores else None,
    )


def _start(state: Tensor, limit: int) -> _Rows:
    count = len(state)
    pooled = state.mean(dim=1, dtype=torch.float32) if limit > 1 else state.new_empty(count, 0)
    position = torch.arange(count, device=state.device)
    return _Rows(position, state, None, pooled, act.initial_state(count, state.device))


def _iterate(form: BlockForm, rows: _Rows, i: int, limit: int, threshold: float, size: Size) -> Tensor:
    """One iteration of ``rows``; returns the halting scores."""
    shares = act.output_weight(rows.halting).tolist() if i else []
    mean = form.advance(rows.state, rows.output, i, shares, size)
    if i == limit - 1:
        score = torch.ones_like(rows.halting.cumulative)
    else:
        rows.pooled = rows.pooled + mean
        assert form.block.halting is not None
        score = form.block.halting(rows.pooled, mean)
    rows.halting = act.advance(rows.halting, score, threshold)
    return score
