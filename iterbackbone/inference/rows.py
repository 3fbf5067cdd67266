"""What the loops of the inference form carry: running rows, and what is known of all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import act
from ..core.halting import INPUTS
from ..core.loop import BlockResult
from .kernels import Size, images


@dataclass
class Rows:
    """The rows still running, and where in the batch each belongs."""

    position: Tensor  # (M,)
    state: Tensor  # (M, H * W, C)
    output: Tensor | None  # the same; None as long as it equals the state
    pooled: Tensor  # (M, 2, C) float32, means of state and y
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
        self._select_small(order)

    def select(self, order: Tensor) -> None:
        self.state = self.state[order]
        self.output = None if self.output is None else self.output[order]
        self._select_small(order)

    def _select_small(self, order: Tensor) -> None:
        self.position, self.pooled = self.position[order], self.pooled[order]
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


def start(state: Tensor, limit: int) -> Rows:
    """All rows at s_0, (B, H * W, C)."""
    count, _, channels = state.shape
    pooled = torch.empty(count, len(INPUTS), channels, dtype=torch.float32, device=state.device)
    if limit > 1:
        torch.mean(state, dim=1, dtype=torch.float32, out=pooled[:, 0])
    position = torch.arange(count, device=state.device)
    return Rows(position, state, None, pooled, act.initial_state(count, state.device))
