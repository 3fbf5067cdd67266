"""A norm in evaluation as two numbers a channel."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

SMALLEST_SCALE = 1e-12  # a channel with a smaller one is constant to rounding


class Affine(NamedTuple):
    """What a norm in evaluation does to a channel: ``scale * x + shift``, both (C,) float32."""

    scale: Tensor
    shift: Tensor

    def scaled_sum(self) -> ScaledSum:
        """The same with the addition first; a scale of 0 becomes the smallest one."""
        small = self.scale.abs() < SMALLEST_SCALE
        scale = self.scale.masked_fill(small, SMALLEST_SCALE)
        return ScaledSum(scale.view(1, -1, 1, 1), self.shift / scale)


class ScaledSum(NamedTuple):
    """What a norm does to a channel, as a convolution can do it: ``scale * (x + offset)``.

    Attributes:
        scale: (1, C, 1, 1) float32.
        offset: (C,) float32.
    """

    scale: Tensor
    offset: Tensor


@torch.no_grad()
def affine_of(norm: nn.Module) -> Affine:
    """A BatchNorm's running statistics, gamma and beta as scale and shift.

    Raises:
        ValueError: the norm's scale depends on the image, or it has no running statistics.
    """
    if not isinstance(norm, _BatchNorm) or norm.running_var is None or norm.running_mean is None:
        raise ValueError(
            'the inference and export forms need BatchNorms with running statistics, got '
            f'{type(norm).__name__}: its scale cannot be folded into the convolutions'
        )
    scale = (norm.running_var.float() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.float()
    shift = -norm.running_mean.float() * scale
    if norm.bias is not None:
        shift = shift + norm.bias.float()
    return Affine(scale, shift)
