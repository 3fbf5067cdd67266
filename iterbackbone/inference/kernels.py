"""What the loop computes with: convolutions and products with norms, and one sweep of sums.

oneDNN's fused operators are those that torch.compile calls on CPUs; elsewhere plain ones serve.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.layers import Size
from .folding import ScaledSum

PAYS_AT = 4  # uses of a kernel: laying it out costs what it saves in about three
STRIP = 1 << 20  # bytes of y computed at a time: small enough to stay in a core's cache


def pixels(x: Tensor) -> Tensor:
    """(M, C, H, W) -> (M, H * W, C) contiguous; copies what is not channels_last."""
    return x.permute(0, 2, 3, 1).contiguous().flatten(1, 2)


def images(x: Tensor, size: Size) -> Tensor:
    """(M, H * W, C) contiguous -> (M, C, H, W), a channels_last view."""
    return x.unflatten(1, size).permute(0, 3, 1, 2)


class Kernel:
    """The kernel of a convolution during one run of the loop, which uses it again and again.

    oneDNN lays a kernel out at every call. Once features of one shape have come often enough that is
    kept, to the end of the run only: a copy of one kernel at a time.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        self.conv = conv
        self._weight = conv.weight
        self._shape: torch.Size | None = None
        self._uses = 0

    def __call__(self, x: Tensor) -> Tensor:
        if x.shape != self._shape:  # a kernel laid out for another shape is slow
            self._weight, self._shape, self._uses = self.conv.weight.to(x.dtype), x.shape, 0
        self._uses += 1
        if self._uses == PAYS_AT and fused(x):
            conv = self.conv
            self._weight = torch.ops.mkldnn._reorder_convolution_weight(
                self._weight, conv.padding, conv.stride, conv.dilation, conv.groups, list(x.shape)
            )
        return self._weight


def conv_norm_relu(x: Tensor, weight: Tensor, norm: ScaledSum, like: nn.Conv2d) -> Tensor:
    """``relu(norm(conv(x)))``, (B, C, H, W) channels_last -> the same, without further passes.

    The ``weight`` may be laid out as oneDNN wants it; all else of the convolution is that of ``like``.
    """
    if not fused(x):
        weight, shift = (weight * norm.scale.view(-1, 1, 1, 1)).to(x.dtype), norm.shift.to(x.dtype)
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
        return F.linear(x, (weight * norm.scale.view(-1, 1)).to(x.dtype), norm.shift.to(x.dtype))
    out = F.linear(x, weight)
    if out.dtype == norm.scale.dtype:
        return torch.addcmul(norm.shift, out, norm.scale, out=out)
    zeros, ones = torch.zeros_like(norm.scale), torch.ones_like(norm.scale)
    return F.batch_norm(out, zeros, ones, norm.scale, norm.shift, eps=0.0)


def fused(x: Tensor) -> bool:
    """Whether oneDNN takes ``x``; bfloat16 not on every CPU."""
    if x.device.type != 'cpu' or not SCALES_CHANNELS:
        return False
    if x.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return x.dtype == torch.float32


@torch.no_grad()
def _scales_channels() -> bool:
    """Whether oneDNN is there and multiplies by one number a channel: torch 2.1 asks for whole maps."""
    image = torch.ones(1, 1, 2, 2, dtype=torch.float32, device='cpu')  # whatever the defaults are
    one = image[:, :, :1, :1].contiguous()
    try:
        torch.ops.mkldnn._convolution_pointwise.binary(
            image, one, one, one.flatten(), [0, 0], [1, 1], [1, 1], 1, 'mul', None, None, [], None
        )
        return torch.backends.mkldnn.is_available()
    except (AttributeError, RuntimeError):
        return False


SCALES_CHANNELS = _scales_channels()


def _is_large_product(x: Tensor, conv: nn.Conv2d) -> bool:
    """A 1x1 convolution with more weights than outputs, for which oneDNN has a slow path."""
    is_product = conv.kernel_size == (1, 1) and conv.stride == (1, 1) and conv.groups == 1
    return is_product and conv.in_channels > len(x) * x.shape[2] * x.shape[3]


def update(
    hidden: Tensor,  # (M, P, n), of M images with P pixels
    y_of: Callable[[Tensor], Tensor],  # of K pixels of these, (K, n), their y, (K, C), which is changed
    state: Tensor,  # s, (M, P, C), changed in place
    output: Tensor | None,  # the same; None where nothing is to be added
    onto: Tensor,  # the same; may be ``state`` or ``output``
    shares: Tensor,  # (M,) float32, 1 - c_{i-1}
    halted: Tensor | None,  # (M,) bool, images whose y is taken for 0; None for none
) -> Tensor:
    """output = onto + share * y; s += y; returns the sum of y over the pixels, (M, C) float32.

    y never exists as a whole: strip by strip it is made, added and forgotten.
    """
    parts = _strips(state)
    if len(parts) > 1:
        total = torch.zeros(len(state), state.shape[2], dtype=torch.float32, device=state.device)
        for part in parts:
            rows = None if output is None else output[part]
            stop = None if halted is None else halted[part[0]]
            total[part[0]] += update(
                hidden[part], y_of, state[part], rows, onto[part], shares[part[0]], stop
            )
        return total
    y = y_of(hidden.flatten(0, 1)).view_as(state)
    if halted is not None:  # a share of 0 would not keep an infinite y out of the output
        y.masked_fill_(halted.view(-1, 1, 1), 0.0)
    if output is not None:
        if len(shares) == 1 and not shares.is_cuda:  # a number is faster, but on a GPU waited for
            torch.add(onto, y, alpha=float(shares), out=output)
        else:
            torch.addcmul(onto, y, shares.to(y.dtype).view(-1, 1, 1), out=output)
    state.add_(y)
    return y.sum(dim=1, dtype=torch.float32)


def _strips(state: Tensor) -> list[tuple[slice, slice]]:
    """Images and pixels of each strip: several small images, or a part of a large one."""
    count, size, channels = state.shape
    if state.device.type != 'cpu' or state.numel() == 0:  # a GPU wants large kernels
        return [(slice(0, count), slice(0, size))]
    pixels = max(1, STRIP // (channels * state.element_size()))
    images = max(1, pixels // size)
    pixels = size if images > 1 else min(pixels, size)
    return [
        (slice(first, min(first + images, count)), slice(start, min(start + pixels, size)))
        for first in range(0, count, images)
        for start in range(0, size, pixels)
    ]
