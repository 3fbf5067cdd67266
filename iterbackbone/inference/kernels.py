"""Convolutions and products with norm and ReLU inside, where the device has such kernels.

oneDNN's fused operators are those that torch.compile calls on CPUs; elsewhere plain ones serve.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .folding import ScaledSum
from .layout import images, pixels

FUSED_TYPES = (torch.float32, torch.bfloat16)


def conv_norm_relu(x: Tensor, weight: Tensor, norm: ScaledSum, like: nn.Conv2d) -> Tensor:
    """``relu(norm(conv(x)))``, (B, C, H, W) channels_last -> the same, without further passes.

    Args:
        x: Features.
        weight: The kernel, which may be laid out as oneDNN wants it.
        norm: Of the output channels.
        like: Gives stride, padding, dilation and groups.
    """
    if not fused(x):
        weight, shift = scaled(weight, norm.scale.view(-1, 1, 1, 1)), norm.shift.to(x.dtype)
        out = F.conv2d(x, weight, shift, like.stride, like.padding, like.dilation, like.groups)
        return out.relu_()
    scale, offset = norm.scale.to(x.dtype), norm.offset.to(x.dtype)
    if _is_large_product(x, like) and not weight.is_mkldnn:
        rows = pixels(x)
        out = torch.ops.mkldnn._linear_pointwise.binary(
            rows.flatten(0, 1), scale.view(1, -1), weight.flatten(1), offset, 'mul'
        )
        return images(out.relu_().view(*rows.shape[:2], like.out_channels), (x.shape[2], x.shape[3]))
    return torch.ops.mkldnn._convolution_pointwise.binary(
        *(x, scale.view(1, -1, 1, 1), weight, offset),
        *(like.padding, like.stride, like.dilation, like.groups),
        *('mul', None, 'relu', [], None),
    )


def linear_norm(x: Tensor, weight: Tensor, norm: ScaledSum) -> Tensor:
    """``norm(x @ weight.T)``, (P, C) -> (P, C'); ``weight`` is of the type of ``x``."""
    if x.device.type != 'cpu':  # passes over the product cost more than one over the weights
        return F.linear(x, scaled(weight, norm.scale.view(-1, 1)), norm.shift.to(x.dtype))
    out = F.linear(x, weight)
    if out.dtype == norm.scale.dtype:
        return torch.addcmul(norm.shift, out, norm.scale, out=out)
    zeros, ones = torch.zeros_like(norm.scale), torch.ones_like(norm.scale)
    return F.batch_norm(out, zeros, ones, norm.scale, norm.shift, eps=0.0)


def scaled(weight: Tensor, scale: Tensor) -> Tensor:
    """``weight * scale`` in the type of ``weight``, multiplied in that of ``scale``."""
    return (weight * scale).to(weight.dtype)


def fused(x: Tensor) -> bool:
    """Whether oneDNN takes ``x``."""
    return x.device.type == 'cpu' and x.dtype in FUSED_TYPES and torch.backends.mkldnn.is_available()


def _is_large_product(x: Tensor, conv: nn.Conv2d) -> bool:
    """A 1x1 convolution with more weights than outputs, for which oneDNN has a slow path."""
    is_product = conv.kernel_size == (1, 1) and conv.stride == (1, 1) and conv.groups == 1
    return is_product and conv.in_channels > len(x) * x.shape[2] * x.shape[3]
