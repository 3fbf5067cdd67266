"""The inference form of an iterative block."""

from __future__ import annotations

from torch import Tensor

from ..block import DepthwiseSeparableConv, IterativeBlock
from .folding import affine_of, conv_norm_relu
from .layout import Size, images, pixels
from .update import update


class BlockForm:
    """F_i of a block with the norms folded into the convolutions it shares.

    Reads the block's own weights at every call and keeps no copy of them; only scale and shift of
    each norm are kept, half as many numbers as the norms have.

    Args:
        block: In evaluation mode.

    Raises:
        ValueError: a norm cannot be folded.
    """

    def __init__(self, block: IterativeBlock) -> None:
        self.block = block
        self.affines = [[affine_of(n) for n in block.norms(i)] for i in range(block.max_iterations)]

    def advance(
        self, state: Tensor, output: Tensor | None, i: int, shares: Tensor, size: Size
    ) -> Tensor:
        """s += y_i and output += share * y_i in place; returns mean(y_i), (M, C) float32.

        Args:
            state: s_{i-1}, (M, H * W, C).
            output: The same; None where it is not wanted yet.
            i: From 0.
            shares: (M,) float32, 1 - c_{i-1}.
            size: (H, W).
        """
        hidden = self._hidden(images(state, size), i)
        weight, affine = self.block.conv3.weight.flatten(1), self.affines[i][-1]
        return update(hidden, weight, affine, state, output, shares)

    def _hidden(self, x: Tensor, i: int) -> Tensor:
        """The input of the last convolution: (M, C, H, W) channels_last -> (M, H * W, n)."""
        block, affines = self.block, self.affines[i]
        x = conv_norm_relu(x, block.conv1, affines[0])
        if isinstance(block.conv2, DepthwiseSeparableConv):
            x = conv_norm_relu(x, block.conv2.depthwise, affines[1])
            x = conv_norm_relu(x, block.conv2.pointwise, affines[2])
        else:
            x = conv_norm_relu(x, block.conv2, affines[1])
        return pixels(x)
