"""Activation checkpointing: recompute in the backward pass instead of storing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from .normalization import FrozenStatistics


def recomputed(function: Callable[..., Any], norms: Iterable[nn.Module], *args: Any) -> Any:
    """``function(*args)``, of which only ``args`` and the results are stored.

    Args:
        function: Of tensors and other arguments, without randomness.
        norms: That it uses; the second pass leaves their running statistics alone.
        args: For it.
    """

    def contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
        return nullcontext(), FrozenStatistics(norms)

    return checkpoint(
        function, *args, use_reentrant=False, context_fn=contexts, preserve_rng_state=False
    )
