"""A convolution with the norm that belongs to the iteration."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..inference.folding import Affine

# Of a kernel that is scaled instead of its results; measured, docs/evidence/deployment.md.
MOST_INPUTS = 128


class NormTables(nn.Module):
    """The norms behind one convolution as scales and shifts, (L, C), a row of each iteration.

    The scale goes where it costs least: into the kernel of a 1x1 convolution of few inputs, which
    is small beside what it computes; else to the results, which leaves the kernel constant, so that
    runtimes can lay it out once. In ONNX a depthwise 1x1 convolution does that in one pass, but takes
    five times as long as product and sum on the 4x4 maps of many regions. Torch's compilers make one
    pass of product and sum, and its depthwise convolutions take three times as long.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, affines: Sequence[Affine], conv: nn.Conv2d) -> None:
        super().__init__()
        self.register_buffer('scale', torch.stack([affine.scale for affine in affines]))
        self.register_buffer('shift', torch.stack([affine.shift for affine in affines]))
        few = conv.in_channels <= min(MOST_INPUTS, conv.out_channels)
        self.in_kernel = conv.kernel_size == (1, 1) and conv.groups == 1 and few
        self.depthwise = False  # whether such a convolution is used, for ONNX's sake

    def forward(self, conv: nn.Conv2d, x: Tensor, i: Tensor) -> Tensor:
        """norm_i(conv(x)): (B, C_in, H, W) to (B, C_out, H', W'); ``i`` is () int64, from 0."""
        scale = F.embedding(i, self.scale).view(-1, 1, 1, 1)
        shift = F.embedding(i, self.shift)
        if self.in_kernel:
            return F.conv2d(x, conv.weight * scale, shift, conv.stride, conv.padding)
        if self.depthwise:
            return F.conv2d(conv(x), scale, shift, groups=conv.out_channels)
        return conv(x) * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)


class ConstantNorms(nn.Module):
    """The same for graphs without loops, as BatchNorms: runtimes fold those of constant numbers."""

    mean: Tensor
    var: Tensor

    def __init__(self, affines: Sequence[Affine]) -> None:
        super().__init__()
        self.register_buffer('mean', torch.zeros_like(affines[0].scale))
        self.register_buffer('var', torch.ones_like(affines[0].scale))
        for i, affine in enumerate(affines):
            self.register_buffer(f'scale_{i}', affine.scale)
            self.register_buffer(f'shift_{i}', affine.shift)

    def forward(self, conv: nn.Conv2d, x: Tensor, i: int) -> Tensor:
        scale, shift = getattr(self, f'scale_{i}'), getattr(self, f'shift_{i}')
        return F.batch_norm(conv(x), self.mean, self.var, scale, shift, training=False, eps=0.0)
