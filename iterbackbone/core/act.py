"""The arithmetic of adaptive computation time, Algorithm 1 of Leroux et al. 2022.

After Graves 2016 (https://arxiv.org/abs/1603.08983) and Figurnov et al. 2017
(https://arxiv.org/abs/1612.02297). Every execution uses these functions and no other arithmetic on the
halting score h, the cumulative sum c and the remainder R. All of it is float32: in bfloat16 the sums
change N for about 2% of the images. B are rows, images or regions of interest.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class HaltingState(NamedTuple):
    """Where each row stands in Algorithm 1."""

    cumulative: Tensor  # c, (B,) float32, the sum of the halting scores so far
    remainder: Tensor  # R, (B,) float32; stays at its last value once the row has halted
    iterations: Tensor  # N, (B,) int64, the iterations the row has taken part in
    running: Tensor  # (B,) bool, False once the row has halted

    def select(self, rows: Tensor) -> HaltingState:
        return HaltingState(*(field.index_select(0, rows) for field in self))


def initial_state(batch_size: int, device: torch.device) -> HaltingState:
    """c = 0, R = 1, N = 0, all running."""
    return HaltingState(
        cumulative=torch.zeros(batch_size, dtype=torch.float32, device=device),
        remainder=torch.ones(batch_size, dtype=torch.float32, device=device),
        iterations=torch.zeros(batch_size, dtype=torch.int64, device=device),
        running=torch.ones(batch_size, dtype=torch.bool, device=device),
    )


def output_weight(state: HaltingState) -> Tensor:
    """The weight with which this iteration's y enters the block's output, (B,) float32 in [0, 1].

    Algorithm 1 weights the states. As ``s_i = s_0 + y_1 + ... + y_i`` and the weights sum to 1, its
    output is ``s_0 + sum_i (1 - c_{i-1}) y_i``, and ``1 - c_{i-1}`` is the remainder *before*
    iteration i. Halted rows get 0.
    """
    return torch.where(state.running, state.remainder, 0.0)


def advance(state: HaltingState, score: Tensor, threshold: float | Tensor) -> HaltingState:
    """The state after one iteration of Algorithm 1; a row goes on while c < ``threshold``, 1 - epsilon.

    ``score`` is h, (B,) float32 in [0, 1]; 1 at the last allowed iteration. It is ignored for halted
    rows. A NaN halts its row and makes its ponder cost NaN.
    """
    cumulative = torch.where(state.running, state.cumulative + score, state.cumulative)
    running = cumulative < threshold  # the sum of a halted row no longer changes
    return HaltingState(
        cumulative=cumulative,
        remainder=torch.where(running, state.remainder - score, state.remainder),
        iterations=state.iterations + state.running,
        running=running,
    )


def ponder_cost(state: HaltingState) -> Tensor:
    """N + R per row, (B,) float32; differentiable through R only; NaN where a score was."""
    remainder = state.remainder.masked_fill(state.cumulative.isnan(), torch.nan)
    return state.iterations + remainder
