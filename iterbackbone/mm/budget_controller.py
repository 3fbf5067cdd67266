"""Steers the ponder weight so that the executed MACs meet a wanted share of the maximum."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from ..core.macs import MacTable
from .image_compute import table_of
from .trace_collector import Call

GAIN = 0.1  # weight for an error of 1: ten percentage points too many cost 0.01 an iteration
SMOOTHING = 20  # training steps over which the measured share is averaged
SETTLING = 0.1  # share of the training in which the integral takes the proportional part over


class BudgetController:
    """A proportional-integral controller of the ponder weight.

    The measured quantity is the MACs that the rows of a training step would execute in
    evaluation over those of all iterations, averaged over :data:`SMOOTHING` steps and over
    the ranks. The weight may become negative: then iterations are rewarded. Everything stays on
    the model's device, so that a GPU is not waited for.

    Args:
        target: Wanted share, between that of one iteration everywhere and 1.
        weight: Ponder weight to start from.
        max_iters: Training steps of the whole training.
    """

    def __init__(self, target: float, weight: float, max_iters: int) -> None:
        self.target = target
        self._max_iters = max_iters
        self._integral: Tensor | float = weight
        self._share: Tensor | None = None

    @property
    def weight(self) -> Tensor | float:
        """The ponder weight of the next training step."""
        if self._share is None:
            return self._integral
        return self._integral + GAIN * (self._share - self.target)

    @property
    def share(self) -> Tensor | None:
        """The measured share; None before the first training step."""
        return self._share

    def observe(self, calls: list[Call], held: bool) -> None:
        """Take in the calls of one training step; the integral rests while scores are held.

        Raises:
            ValueError: the target is out of the network's reach.
        """
        executed, lowest, full = (sum(part) for part in zip(*map(_macs, calls), strict=True))
        if not lowest / full < self.target:
            raise ValueError(
                f'target must be above {lowest / full:.3f}, the share of one iteration everywhere, '
                f'got {self.target}'
            )
        share = executed / full
        all_reduce(share, op='mean')
        self._share = share if self._share is None else torch.lerp(self._share, share, 1 / SMOOTHING)
        if not held:
            step = GAIN * (self._share - self.target) / (SETTLING * self._max_iters)
            # More than the proportional part could ever ask for would only delay the way back.
            self._integral = torch.clamp(self._integral + step, -GAIN, GAIN)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {'integral': self._integral, 'share': self._share}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up :meth:`state_dict`."""
        self._integral, self._share = state['integral'], state['share']


def _macs(call: Call) -> tuple[Tensor, int, int]:
    """MACs of a call's rows together: executed, at one iteration everywhere, at all."""
    table = table_of(call.module, call.trace.input_size)
    rows = len(call.trace.iterations)
    return _executed(table, call.trace.iterations), rows * table.lowest, rows * table.highest


def _executed(table: MacTable, iterations: Tensor) -> Tensor:
    """Sum over the rows of :meth:`MacTable.total`; ``iterations`` is (B, K) int64."""
    counts, limits, each, score = (
        torch.as_tensor(values, dtype=torch.float64, device=iterations.device)
        for values in (iterations, table.max_iterations, table.per_iteration, table.per_score)
    )
    rows = counts * each + torch.minimum(counts, limits - 1) * score
    return (rows.sum() + len(iterations) * table.fixed).float()
