"""Steers the halting units so that the executed MACs meet a wanted share of the maximum."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from ..core.adaptive import AdaptiveModule
from ..core.macs import MacTable
from .image_compute import table_of
from .trace_collector import Call

SMOOTHING = 10  # training steps over which the measured share is averaged
SETTLING = 0.03  # share of the training in which an error shrinks to a third, about
LEAST_SETTLING = 60  # the same in training steps: well above SMOOTHING, or the loop would swing
SENSITIVITY = 0.15  # share of the MACs that one unit of the bias is worth, about


class BudgetController:
    """An integral controller of the halting units' output biases.

    The measured quantity is the MACs that the rows of a training step would execute in
    evaluation over those of all iterations, averaged over :data:`SMOOTHING` steps and over
    the ranks. Where it is above the target every halting bias is raised a little after the
    training step, else lowered; what the units have learnt to tell apart stays as it is. The
    ponder weight alone cannot do this: a block that has fallen to one iteration has no
    gradient that would lead it back. A bias that balances loads outside of the gradient is that
    of Wang et al. 2024 (https://arxiv.org/abs/2408.15664) for mixtures of experts.

    All stays on the model's device, so that a GPU is not waited for.

    Args:
        target: Wanted share, between that of one iteration everywhere and 1.
        max_iters: Training steps of the whole training.
    """

    def __init__(self, target: float, max_iters: int) -> None:
        self.target = target
        self.rate = 1.0 / (SENSITIVITY * max(LEAST_SETTLING, SETTLING * max_iters))
        self.share: Tensor | None = None  # measured; None before the first training step

    def observe(self, calls: list[Call]) -> None:
        """Take in the calls of one training step.

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
        self.share = share if self.share is None else torch.lerp(self.share, share, 1 / SMOOTHING)

    @torch.no_grad()
    def steer(self, modules: list[AdaptiveModule]) -> None:
        """Move the halting biases of ``modules`` by what the last error asks for."""
        if self.share is None:
            return
        step = self.rate * (self.share - self.target)
        for module in modules:
            for stage in module.iterative_stages():
                for block in stage.iterative_blocks():
                    if block.halting is not None and block.halting.fc2.bias.requires_grad:
                        block.halting.fc2.bias.add_(step)


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
