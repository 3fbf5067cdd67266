"""What one iteration does to states and outputs, with or without activation checkpointing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .halting import mean_over_pixels
from .normalization import FrozenStatistics

Residual = Callable[[Tensor, int], Tensor]
"""F: ``(s_{i-1}, i) -> y_i``."""


class Iterated(NamedTuple):
    """What an iteration leaves."""

    state: Tensor  # s_i, (B, C, H, W)
    output: Tensor  # with weight * y_i added; s_i where there was no weight
    mean: Tensor | None  # of y_i, (B, C) float32; None where it is the last one


Iteration = Callable[[Tensor, Tensor, Tensor | None, int, bool], Iterated]
"""(s_{i-1}, output, weight of y_i, i, last) -> :class:`Iterated`.

Weights are (B, 1, 1, 1), None at the first iteration and at forced depths; i is from 0. The last one
needs no score.
"""


def storing(residual: Residual) -> Iteration:
    """Keeps what the backward pass needs."""

    def iterate(state: Tensor, output: Tensor, weight: Tensor | None, i: int, last: bool) -> Iterated:
        y = residual(state, i)
        state = state + y
        output = state if weight is None else torch.addcmul(output, y, weight.to(y.dtype))
        return Iterated(state, output, None if last else mean_over_pixels(y))

    return iterate


def recomputing(residual: Residual, norms: Callable[[int], Iterable[nn.Module]]) -> Iteration:
    """Keeps s_{i-1} only: y is not needed outside, as ``weight * y`` is added to the output."""

    def parts(state: Tensor, weight: Tensor | None, i: int, last: bool) -> tuple[Tensor | None, ...]:
        y = residual(state, i)
        share = None if weight is None else weight.to(y.dtype) * y
        return state + y, share, None if last else mean_over_pixels(y)

    def iterate(state: Tensor, output: Tensor, weight: Tensor | None, i: int, last: bool) -> Iterated:
        state, share, mean = recomputed(parts, norms(i), state, weight, i, last)
        return Iterated(state, state if share is None else output + share, mean)

    return iterate


def recomputed(function: Callable[..., Any], norms: Iterable[nn.Module], *args: Any) -> Any:
    """``function(*args)``, without randomness, of which only ``args`` and the results are stored.

    The second pass leaves the running statistics of ``norms``, which it uses, alone.
    """

    def contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
        return nullcontext(), FrozenStatistics(norms)

    return checkpoint(
        function, *args, use_reentrant=False, context_fn=contexts, preserve_rng_state=False
    )
