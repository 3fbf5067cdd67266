"""Steers the halting units so that the executed MACs meet a wanted share of the maximum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor

from ...core.adaptive import AdaptiveModule
from ..traces import Call, counts_of, trained_calls

SMOOTHING = 5  # training steps over which the measured share is averaged
GAP_SMOOTHING = 5  # rehearsals over which the gap to evaluation is averaged
SETTLING = 30  # time constant of the loop in training steps: well above SMOOTHING, or it would swing
SENSITIVITY = 0.15  # share of the MACs that one unit of the bias is worth, about
RATE = 1.0 / (SENSITIVITY * SETTLING)  # step of the bias for an error of 1
LARGE = 0.1  # errors beyond are on their way: integrating them would overshoot


@dataclass(eq=False)
class BudgetController:
    """A proportional-integral controller of the halting units' output biases.

    The measured quantity is the MACs that the rows of a training step would execute in evaluation over
    those of all iterations, averaged over :data:`SMOOTHING` steps and over the ranks. They are counted
    off the training's own pass; by how much evaluation, with BatchNorm's running statistics, differs
    from that is measured in rehearsals of single steps.

    Where it is above the ``target`` every halting bias is raised a little after the training step, else
    lowered; what the units have learnt to tell apart stays. The integral answers the steady pull of the
    loss on the same biases, which fades with the learning rate; the damping ratio is 0.7. The ponder
    weight alone has no gradient for a block that has fallen to one iteration. Wang et al. 2024
    (https://arxiv.org/abs/2408.15664) balance the experts of a mixture by such a bias. All stays on the
    model's device, so that a GPU is not waited for.
    """

    target: float
    share: Tensor | None = None  # in training; None before the first training step
    gap: Tensor | None = None  # evaluation's share minus training's; None before a rehearsal
    # The integral: what a training step at the highest learning rate needs at the target.
    pull: Tensor | float = 0.0

    def observe(self, calls: list[Call], rehearsed: list[Call]) -> None:
        """Take in a step's trained calls and rehearsals; ValueError for a target out of reach."""
        calls = trained_calls(calls)
        if not calls:
            return
        executed, lowest, full = (sum(part) for part in zip(*map(_macs, calls), strict=True))
        if not lowest / full < self.target:
            raise ValueError(
                f'target must be above {lowest / full:.3f}, the share of one iteration everywhere, '
                f'got {self.target}'
            )
        share = executed / full
        if rehearsed:
            gap = sum(_macs(call)[0] for call in rehearsed) / full - share
            self.gap = _averaged(self.gap, gap, GAP_SMOOTHING)
        self.share = _averaged(self.share, share, SMOOTHING)

    def expected(self) -> Tensor | None:
        """The share that evaluation would take now; None before the first training step."""
        return self.share if self.share is None or self.gap is None else self.share + self.gap

    @torch.no_grad()
    def steer(self, modules: list[AdaptiveModule], lr_share: float = 1.0) -> None:
        """Move the halting biases; ``lr_share`` is the learning rate over the training's highest."""
        share = self.expected()
        if share is None:
            return
        error = share - self.target
        small = error.clamp(-LARGE, LARGE)
        self.pull = torch.clamp(self.pull + RATE * small / (2 * SETTLING), -RATE, RATE)
        step = RATE * error + lr_share * self.pull
        for module in modules:
            for unit in module.halting_units():
                if unit.fc2.bias.requires_grad:
                    unit.fc2.bias.add_(step)

    def state_dict(self) -> dict[str, Any]:
        """What the controller of a resumed run begins with, beside the target."""
        return {'share': self.share, 'gap': self.gap, 'pull': self.pull}


def learning_rate_share(optim_wrapper: OptimWrapper | OptimWrapperDict) -> float:
    """The first parameters' learning rate over the one its schedulers started from."""
    if isinstance(optim_wrapper, OptimWrapperDict):
        optim_wrapper = next(iter(optim_wrapper.values()))
    group = optim_wrapper.param_groups[0]
    return group['lr'] / group['initial_lr'] if group.get('initial_lr') else 1.0


def _averaged(before: Tensor | None, value: Tensor, steps: int) -> Tensor:
    all_reduce(value, op='mean')
    return value if before is None else torch.lerp(before.to(value), value, 1 / steps)


def _macs(call: Call) -> tuple[Tensor, int, int]:
    """MACs of a call's rows together, on the device: executed, at one iteration everywhere, at all."""
    iterations, (table, _) = call.trace.iterations, counts_of(call.module, call.trace.input_size)
    counts, limits, each, score = (
        torch.as_tensor(values, dtype=torch.float64, device=iterations.device)
        for values in (iterations, table.max_iterations, table.per_iteration, table.per_score)
    )
    of_blocks = counts * each + torch.minimum(counts, limits - 1) * score
    rows = len(iterations)
    executed = (of_blocks.sum() + rows * table.fixed).float()
    return executed, rows * table.lowest, rows * table.highest
