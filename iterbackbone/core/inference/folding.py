"""A convolution with its norm and ReLU, without the norm's passes over the features."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from . import kernels


class Affine(NamedTuple):
    """What a norm in evaluation does to a channel: ``scale * x + shift``, both (C,) float32."""

    scale: Tensor
    shift: Tensor


@torch.no_grad()
def affine_of(norm: nn.Module) -> Affine:
    """A BatchNorm's running statistics, gamma and beta as scale and shift.

    Raises:
        ValueError: the norm's scale depends on the image, or it has no running statistics.
    """
    if not isinstance(norm, _BatchNorm) or norm.running_var is None or norm.running_mean is None:
        raise ValueError(
            'optimize_for_inference needs BatchNorms with running statistics, got '
            f'{type(norm).__name__}: its scale cannot be folded into the convolutions'
        )
    scale = (norm.running_var.float() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.float()
    shift = -norm.running_mean.float() * scale
    if norm.bias is not None:
        shift = shift + norm.bias.float()
    return Affine(scale, shift)


def conv_norm_relu(x: Tensor, conv: nn.Module, affine: Affine) -> Tensor:
    """``relu(scale * conv(x) + shift)``: (B, C, H, W) channels_last -> the same.

    The scale goes into the weights just before they are used, or over the output where that is
    smaller.
    """
    assert isinstance(conv, nn.Conv2d)
    weight, shift = conv.weight.to(x.dtype), affine.shift.to(x.dtype)
    if weight.numel() > _output_numel(x, conv):
        scale = affine.scale.to(x.dtype).view(-1, 1, 1)
        out = kernels.conv(x, weight, conv)
        return torch.addcmul(shift.view(-1, 1, 1), out, scale, out=out).relu_()
    weight = (conv.weight * affine.scale.view(-1, 1, 1, 1)).to(x.dtype)
    return kernels.conv_relu(x, weight, shift, conv)


def _output_numel(x: Tensor, conv: nn.Conv2d) -> int:
    return x.numel() // x.shape[1] // (conv.stride[0] * conv.stride[1]) * conv.out_channels
