"""Rows that are stopped from outside: their loop, and depths drawn for them in anytime training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .iteration import Iteration
from .loop import BlockResult, RunSettings, take_rows

DISTRIBUTIONS = ('mixed', 'log_uniform')


def draw_depths(
    rows: int,
    max_iterations: Sequence[int],
    distribution: str,
    full_share: float,
    generator: torch.Generator,
) -> Tensor:
    """A depth for each row and block, (B, K) int64, by systematic sampling (Cochran, chapter 8).

    Of a batch nearly the same numbers of rows take each depth at every draw: less noise in the
    gradient, and batch sizes that a library's plans are kept for.

    Args:
        rows: B.
        max_iterations: L of each block, (K,).
        distribution: Of each row. ``'mixed'``: half of the rows take one effort u, uniform in [0, 1),
            for all blocks (1 + floor(u L)), half an effort for each block. ``'log_uniform'``: one
            iteration everywhere with probability 1/2, else L^u, rounded, with one effort for all.
        full_share: Probability of a row to run all iterations instead.
        generator: On the CPU, as the result.
    """
    limits = torch.tensor(max_iterations)
    place = _spread(rows, 1, generator)
    rest = (place - full_share) / max(1 - full_share, 1e-9)  # of rows below full depth: in [0, 1)
    half, effort = rest[:, 0] < 0.5, (2 * rest) % 1
    if distribution == 'mixed':
        own = (rest[:, 0] >= 0.5).nonzero()[:, 0]
        effort = effort.repeat(1, len(limits))
        effort[own] = _spread(len(own), len(limits), generator)
        drawn = 1 + torch.floor(effort * limits).long()
    else:
        drawn = torch.where(half[:, None], 1, (limits**effort).round().long())
    return torch.where(place < full_share, limits, drawn).clamp(max=limits)


def _spread(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """Uniform in [0, 1), (rows, columns); the rows of a column lie one in each of as many intervals."""
    order = torch.rand(rows, columns, generator=generator).argsort(dim=0)
    place = (order + torch.rand(1, columns, generator=generator)) / max(rows, 1)
    return place.clamp(max=1 - 2**-24)  # a sum may have been rounded up to 1


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
