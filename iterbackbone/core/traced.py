"""What a network keeps of its last call."""

from __future__ import annotations

import warnings
from typing import Any

from torch import Tensor, nn

from .trace import HaltingTrace, LastCall
from .validation import check_bool


class TracedModule(nn.Module):
    """Base of networks with a trace.

    Attributes:
        scores_are_recorded: Whether the trace has the halting scores.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scores_are_recorded = False
        self._last = LastCall()
        self._warned_of_unused_cost = False

    # torch.jit.trace reads whatever is listed, of a class's own properties but those named here.
    __jit_ignored_attributes__ = ('trace',)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.trace = cls.trace  # type: ignore[method-assign]

    def __dir__(self) -> list[str]:
        absent = {'trace'} if self._last.trace is None else set()
        return sorted(set(super().__dir__()) - absent)

    def record_scores(self, record: bool = True) -> None:
        """Keep the halting scores of later calls in :attr:`trace`."""
        self.scores_are_recorded = check_bool('record', record)

    @property
    def trace(self) -> HaltingTrace:
        """The last call's trace, of calls in this thread.

        Raises:
            RuntimeError: there was no call, or its trace was dropped.
        """
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

    def keep_trace(self, trace: HaltingTrace) -> None:
        """Take the trace of a call over."""
        self._last.trace = trace
        self._last.cost_is_unused = self.training and trace.ponder_cost.requires_grad

    def warn_if_cost_unused(self) -> None:
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
