"""The halting unit: a small network that looks at the state and the last output (Eq. 1.4)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .validation import check_bool, check_int, check_real

NEVER = -20.0  # bias
HALTING_OPTIONS = ('hidden', 'bias', 'epsilon', 'layer_norm')


def full_depth_bias(max_iterations: int) -> float:
    """Output bias at which a fresh block runs all its iterations: ``min(-3, logit(0.5 / L))``.

    The L - 1 scores then add up to less than one half; a fixed -3 would stop at 21 of 36 iterations.
    """
    share = 0.5 / max_iterations
    return min(-3.0, math.log(share / (1.0 - share)))


@torch.no_grad()
def never_halt(unit: HaltingUnit) -> None:
    """Make a unit's scores 2e-9: all iterations run, and the output is the last state."""
    unit.fc2.weight.zero_()
    unit.fc2.bias.fill_(NEVER)


@torch.no_grad()
def let_halt(unit: HaltingUnit) -> None:
    """Bring a unit that :func:`never_halt` silenced back to its start, where training can move it."""
    if not unit.fc2.weight.any() and (unit.fc2.bias <= NEVER).all():  # FSDP: a shard
        restart(unit)


@torch.no_grad()
def restart(unit: HaltingUnit) -> None:
    """Bring a unit back to its start, whatever it has learnt."""
    unit.fc2.weight.zero_()
    unit.fc2.bias.fill_(unit.initial_bias)


INPUTS = ('mean of s', 'mean of y')  # what a unit reads of each channel


def mean_over_pixels(features: Tensor) -> Tensor:
    """Global average pooling in float32: (B, C, H, W) -> (B, C)."""
    return features.mean(dim=(2, 3), dtype=torch.float32)


class ScoreLayer(nn.Module):
    """A linear layer that is no ``nn.Linear``, so that models do not initialise it as those."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.in_features, self.out_features = inputs, outputs
        linear = nn.Linear(inputs, outputs)
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """In float32, whatever the type of the weights."""
        return F.linear(x, self.weight.float(), self.bias.float())


class HaltingUnit(nn.Module):
    """Pooled state and output (2C) -> Linear -> ReLU -> Linear -> sigmoid (paper, Section 3).

    Runs in float32, outside autocast, whatever the type of its weights.

    Args:
        channels: C, channels of the state, e * n.
        max_iterations: L of the block; sets the default bias.
        hidden: Hidden neurons; 64 in the paper.
        bias: Initial output bias; None for :func:`full_depth_bias`.
        layer_norm: Whether the pooled state and output are each normalised over their
            channels, without parameters. Not in the paper: the state grows with every
            iteration, and the unit then tells iterations apart better than images.
    """

    def __init__(
        self,
        channels: int,
        max_iterations: int,
        hidden: int = 64,
        bias: float | None = None,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        hidden = check_int('halting.hidden', hidden, minimum=1)
        self.initial_bias = (
            full_depth_bias(max_iterations) if bias is None else check_real('halting.bias', bias)
        )
        self.layer_norm = check_bool('halting.layer_norm', layer_norm)
        self.held = False  # h is then the constant sigmoid of the initial bias
        self.offset = 0.0  # of the logit in evaluation; of the budget
        self.fc1 = ScoreLayer(len(INPUTS) * channels, hidden)
        self.fc2 = ScoreLayer(hidden, 1)
        # Zero weights start every image at the same score; fc1's gradient begins one step later.
        restart(self)

    def forward(self, pooled_state: Tensor, pooled_output: Tensor) -> Tensor:
        """h, (B,) float32 in [0, 1], of the means of s_i and y_i, (B, C) float32."""
        with torch.autocast(pooled_state.device.type, enabled=False):
            return self.score(torch.stack((pooled_state, pooled_output), dim=1))

    def normalised(self, means: Tensor) -> Tensor:
        """What the first layer reads, (B, 2, C)."""
        return F.layer_norm(means, means.shape[2:]) if self.layer_norm else means

    def score(self, means: Tensor) -> Tensor:
        """As calling the unit, outside autocast, on means of s_i and y_i, (B, 2, C) float32."""
        if self.held:
            return torch.full_like(means[:, 0, 0], self.initial_bias).sigmoid()
        x = self.fc2(F.relu(self.fc1(self.normalised(means).flatten(1)))).squeeze(1)
        return (x if self.training or not self.offset else x + self.offset).sigmoid()
