"""What a network keeps of its last call, or would keep of one in evaluation: iterations and costs."""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .loop import BlockResult
from .validation import check_bool


@dataclass(frozen=True)
class HaltingTrace:
    """Iterations and ponder costs of one call; K = stages * blocks, in the network's order.

    Attributes:
        iterations: N, (B, K) int64.
        executed: (B, K) int64, iterations computed for the row: N, or more where halted rows stay in
            the batch (``masked``; optimised for evaluation on a GPU).
        ponder_cost: N + R, (B, K) float32, with gradient in training; NaN after a NaN score.
        limits: L' of each block in this call.
        input_size: (H, W) of the call's input in pixels.
        scores: (B, L') float32 of each block, NaN where none was used; None unless asked for.
    """

    iterations: Tensor
    executed: Tensor
    ponder_cost: Tensor
    limits: tuple[int, ...]
    input_size: tuple[int, int]
    scores: tuple[Tensor, ...] | None


class LastCall(threading.local):
    """What a module keeps of its last call, each thread its own; copies and pickles keep nothing."""

    trace: HaltingTrace | None = None
    cost_is_unused = False  # after a training call, until it is read or dropped

    def __reduce__(self) -> tuple[Any, ...]:
        return LastCall, ()  # a trace may hold tensors that can be neither copied nor pickled


class TracedModule(nn.Module):
    """Base of networks with a trace."""

    def __init__(self) -> None:
        super().__init__()
        self.scores_are_recorded = False
        self._last = LastCall()
        self._warned_of_unused_cost = False

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__()} - {'trace'})  # torch.jit.trace reads whatever is listed

    def record_scores(self, record: bool = True) -> None:
        """Keep the halting scores of later calls in :attr:`trace`."""
        self.scores_are_recorded = check_bool('record', record)

    @property
    def trace(self) -> HaltingTrace:
        """The last call's, of this thread; RuntimeError without a call, or if its trace was dropped."""
        trace = self._last_trace()
        self._last.cost_is_unused = False
        return trace

    def _last_trace(self) -> HaltingTrace:
        if self._last.trace is None:
            raise RuntimeError(
                f'{type(self).__name__} has no trace: call it first, in the same thread; '
                'PonderCostHook, copying and pickling drop the trace'
            )
        return self._last.trace

    def drop_trace(self) -> None:
        """Forget the last call, and with it its graph."""
        self._last.trace = None
        self._last.cost_is_unused = False

    def iterations(self) -> Tensor:
        """Iterations of the last call, (B, stages * blocks) int64."""
        return self._last_trace().iterations

    def ponder_cost(self) -> Tensor:
        """Ponder cost N + R of the last call, summed over the blocks, (B,) float32.

        In training add ``weight * backbone.ponder_cost().mean()`` to the task loss.
        """
        return self.trace.ponder_cost.sum(dim=1)

    def _keep_trace(
        self, results: list[BlockResult], limits: list[int], input_size: tuple[int, int]
    ) -> None:
        scores = tuple(r.scores for r in results if r.scores is not None)
        self._last.trace = trace = HaltingTrace(
            iterations=torch.stack([r.iterations for r in results], dim=1),
            executed=torch.stack([r.executed for r in results], dim=1),
            ponder_cost=torch.stack([r.ponder_cost for r in results], dim=1),
            limits=tuple(limits),
            input_size=input_size,
            scores=scores or None,
        )
        self._last.cost_is_unused = self.training and trace.ponder_cost.requires_grad

    def _warn_if_cost_unused(self) -> None:
        """Say once that nobody has read or dropped the last training call's ponder cost."""
        if not self._last.cost_is_unused or self._warned_of_unused_cost:
            return
        self._warned_of_unused_cost = True
        warnings.warn(
            f'{type(self).__name__} is trained without its ponder cost, so nothing rewards it for '
            'stopping early: add backbone.ponder_cost() to the loss or, in an OpenMMLab config, '
            "default_hooks=dict(ponder_cost=dict(type='iterbackbone.PonderCostHook'))",
            stacklevel=4,
        )


@torch.no_grad()
def trace_in_evaluation(module: TracedModule, *args: Any, **kwargs: Any) -> HaltingTrace:
    """The trace that ``module``, without its forward hooks, would leave for a call in evaluation mode.

    Modes, running statistics and the trace of the last call stay as they are.
    """
    modes = {part: part.training for part in module.modules()}
    last = module._last
    kept = last.trace, last.cost_is_unused
    module.drop_trace()
    module.eval()
    try:
        with warnings.catch_warnings():  # what is not trained yet may still be
            warnings.simplefilter('ignore', UserWarning)
            module.forward(*args, **kwargs)
        return module.trace
    finally:
        module.train(modes[module])
        for part, mode in modes.items():
            part.training = mode
        last.trace, last.cost_is_unused = kept
