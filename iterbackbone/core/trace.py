"""What one forward pass did: iterations and costs of every row in every block."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .loop import BlockResult


@dataclass(frozen=True)
class HaltingTrace:
    """Iterations and ponder costs of one call; K = stages * blocks, in the network's order.

    Attributes:
        iterations: N, (B, K) int64.
        executed: (B, K) int64, iterations computed for the row: N, or the batch's longest
            run where the execution is ``masked``.
        ponder_cost: N + R, (B, K) float32, with gradient in training; NaN where the halting
            score of iteration N was.
        limits: L' of each block in this call.
        input_size: (H, W) of the call's input in pixels.
        scores: One (B, L') float32 tensor a block, NaN where no score was used; None
            unless asked for.
    """

    iterations: Tensor
    executed: Tensor
    ponder_cost: Tensor
    limits: tuple[int, ...]
    input_size: tuple[int, int]
    scores: tuple[Tensor, ...] | None

    @classmethod
    def of(
        cls, results: list[BlockResult], limits: list[int], input_size: tuple[int, int]
    ) -> HaltingTrace:
        """Gather the blocks' results; their features are not kept."""
        scores = tuple(r.scores for r in results if r.scores is not None)
        return cls(
            iterations=torch.stack([r.iterations for r in results], dim=1),
            executed=torch.stack([r.executed for r in results], dim=1),
            ponder_cost=torch.stack([r.ponder_cost for r in results], dim=1),
            limits=tuple(limits),
            input_size=input_size,
            scores=scores or None,
        )


class LastCall(threading.local):
    """What a module keeps of its last call, for every thread its own; copies and pickles keep nothing.

    Attributes:
        trace: None before the first call and once dropped.
        cost_is_unused: Whether it was a training call whose ponder cost nobody has read or dropped.
    """

    trace: HaltingTrace | None = None
    cost_is_unused = False

    def __reduce__(self) -> tuple[Any, ...]:
        return LastCall, ()  # a trace may hold tensors that can be neither copied nor pickled
