"""Convolutions and products with the ReLU inside, where the device has such kernels.

oneDNN's fused operators are those that torch.compile calls on CPUs; elsewhere plain ones serve.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layout import images, pixels

FUSED_TYPES = (torch.float32, torch.bfloat16)


def conv(x: Tensor, weight: Tensor, like: nn.Conv2d) -> Tensor:
    """The convolution ``like`` with other weights, (B, C, H, W) channels_last -> the same."""
    if _is_product(like):
        return images(F.linear(pixels(x), weight.flatten(1)), (x.shape[2], x.shape[3]))
    return F.conv2d(x, weight, None, like.stride, like.padding, like.dilation, like.groups)


def conv_relu(x: Tensor, weight: Tensor, bias: Tensor, like: nn.Conv2d) -> Tensor:
    """``relu(conv(x) + bias)``, (B, C, H, W) channels_last -> the same."""
    if _is_product(like):
        rows = pixels(x)
        out = linear_relu(rows.flatten(0, 1), weight.flatten(1), bias)
        return images(out.view(len(x), rows.shape[1], -1), (x.shape[2], x.shape[3]))
    if _fused(x):
        return torch.ops.mkldnn._convolution_pointwise(
            x, weight, bias, like.padding, like.stride, like.dilation, like.groups, 'relu', [], ''
        )
    out = F.conv2d(x, weight, bias, like.stride, like.padding, like.dilation, like.groups)
    return out.relu_()


def linear_relu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``relu(x @ weight.T + bias)``, (P, C) -> (P, C')."""
    if _fused(x):
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, 'relu', [], '')
    return F.linear(x, weight, bias).relu_()


def _is_product(conv: nn.Conv2d) -> bool:
    return conv.kernel_size == (1, 1) and conv.stride == (1, 1) and conv.groups == 1


def _fused(x: Tensor) -> bool:
    return x.device.type == 'cpu' and x.dtype in FUSED_TYPES and torch.backends.mkldnn.is_available()
