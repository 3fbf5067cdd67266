"""What one iteration does to states and outputs, with or without activation checkpointing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from .halting import pool
from .recomputation import recomputed

Residual = Callable[[Tensor, int], Tensor]
Pair = tuple[Tensor, Tensor, Tensor | None]
Advance = Callable[[Tensor, Tensor, Tensor | None, int, bool], Pair]
"""(s_{i-1}, output, weight of y_i, i, last) -> (s_i, output + weight * y_i, mean of y_i).

States and outputs are (B, C, H, W), weights (B, 1, 1, 1), i is from 0, the mean is (B, C) float32.
Without a weight, at the first iteration, the output is s_1; at the last there is no mean.
"""


def storing(residual: Residual) -> Advance:
    """Keeps what the backward pass needs.

    Args:
        residual: F: ``(s_{i-1}, i) -> y_i``.
    """

    def advance(state: Tensor, output: Tensor, weight: Tensor | None, i: int, last: bool) -> Pair:
        y = residual(state, i)
        state = state + y
        output = state if weight is None else torch.addcmul(output, y, weight.to(y.dtype))
        return state, output, None if last else pool(y)

    return advance


def recomputing(residual: Residual, norms: Callable[[int], Iterable[nn.Module]]) -> Advance:
    """Keeps s_{i-1} only: y is not needed outside, as ``weight * y`` is added to the output.

    Args:
        residual: As in :func:`storing`.
        norms: Of an iteration.
    """

    def parts(state: Tensor, weight: Tensor | None, i: int, last: bool) -> tuple[Tensor | None, ...]:
        y = residual(state, i)
        share = None if weight is None else weight.to(y.dtype) * y
        return state + y, share, None if last else pool(y)

    def advance(state: Tensor, output: Tensor, weight: Tensor | None, i: int, last: bool) -> Pair:
        state, share, mean = recomputed(parts, norms(i), state, weight, i, last)
        return state, state if share is None else output + share, mean

    return advance
