"""The loop where each row's depth is given from outside: no scores, no weighted sum of states."""

from __future__ import annotations

import torch
from torch import Tensor

from .iteration import Iteration
from .loop import BlockResult, RunSettings, take_rows


def run_to_depths(
    iteration: Iteration,
    state: Tensor,
    limit: int,
    depths: Tensor,
    settings: RunSettings,
) -> BlockResult:
    """As :func:`~iterbackbone.core.loop.run_iterations`; a row's output is the state at its depth.

    ``depths`` are (B,) int64 from 1, ``limit`` where they are above it; on the CPU, so that rows leave
    without waiting for a GPU.
    """
    depths = depths.clamp(max=limit)
    iterations = depths.to(state.device)
    if settings.rows_leave:
        output, steps = _leaving(iteration, state, depths)
        executed = iterations
    else:
        output, steps = _staying(iteration, state, limit, iterations, settings)
        executed = torch.full_like(iterations, steps)
    # The remainder is 1, as with a single score of 1.
    return BlockResult(output, iterations, executed, iterations + 1.0, steps, None)


def _leaving(iteration: Iteration, state: Tensor, depths: Tensor) -> tuple[Tensor, int]:
    """The deepest rows come first, so that those that leave are the last: no copies on the way."""
    order = depths.argsort(descending=True, stable=True)
    moved = not torch.equal(order, torch.arange(len(order)))
    rows = take_rows(state, order.to(state.device)) if moved else state
    halted: list[Tensor] = []
    steps = int(depths.max()) if len(depths) else 1
    for i in range(steps):
        staying = int((depths > i).sum())
        if staying < len(rows):
            rows, done = rows.split([staying, len(rows) - staying])
            halted.append(done)
        rows = iteration(rows, rows, None, i, True).state
    output = torch.cat([rows, *reversed(halted)]) if halted else rows
    return take_rows(output, order.argsort().to(state.device)) if moved else output, steps


def _staying(
    iteration: Iteration, state: Tensor, limit: int, depths: Tensor, settings: RunSettings
) -> tuple[Tensor, int]:
    output = state
    for i in range(limit):
        state = iteration(state, state, None, i, True).state
        output = torch.where((depths > i).view(-1, 1, 1, 1), state, output)
        if i == limit - 1 or not settings.any_running(depths > i + 1):
            break
    return output, i + 1
