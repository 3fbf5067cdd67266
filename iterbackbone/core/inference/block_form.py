"""The inference form of an iterative block."""

from __future__ import annotations

from torch import Tensor, nn

from ..block import DepthwiseSeparableConv, IterativeBlock
from ..halting import HaltingUnit
from .folding import affine_of
from .kernels import conv_norm_relu
from .layout import Size, images, pixels
from .packing import Kernel
from .update import update


class BlockForm:
    """F_i of a block with the norms folded into the convolutions it shares.

    Keeps no copy of the block's weights; only two numbers a channel of each norm are kept, half
    as many as the norm has.

    Args:
        block: In evaluation mode.

    Raises:
        ValueError: a norm cannot be folded.
    """

    def __init__(self, block: IterativeBlock) -> None:
        self.block = block
        norms = [[affine_of(n) for n in block.norms(i)] for i in range(block.max_iterations)]
        self.hidden_norms = [[affine.scaled_sum() for affine in each[:-1]] for each in norms]
        self.output_norms = [each[-1] for each in norms]

    def hidden_convs(self) -> list[nn.Conv2d]:
        """The convolutions before the last, one for each norm before the last."""
        conv2 = self.block.conv2
        if isinstance(conv2, DepthwiseSeparableConv):
            return [self.block.conv1, conv2.depthwise, conv2.pointwise]
        assert isinstance(conv2, nn.Conv2d)
        return [self.block.conv1, conv2]


class BlockRun:
    """One run of a block's loop.

    Args:
        form: Of the block.
    """

    def __init__(self, form: BlockForm) -> None:
        self.form = form
        self.kernels = [Kernel(conv) for conv in form.hidden_convs()]

    @property
    def halting(self) -> HaltingUnit | None:
        """Of the block; None where L is 1."""
        return self.form.block.halting

    def advance(
        self, state: Tensor, output: Tensor | None, onto: Tensor, i: int, shares: Tensor, size: Size
    ) -> Tensor:
        """output = onto + share * y_i and s += y_i in place; returns the sum of y_i, (M, C) float32.

        Args:
            state: s_{i-1}, (M, H * W, C).
            output: The same; None where it is not wanted yet.
            onto: The output so far, which may be ``state`` or ``output`` itself.
            i: From 0.
            shares: (M,) float32, 1 - c_{i-1}.
            size: (H, W).
        """
        x = images(state, size)
        for kernel, hidden in zip(self.kernels, self.form.hidden_norms[i], strict=True):
            x = conv_norm_relu(x, kernel(x), hidden, kernel.conv)
        block, norm = self.form.block, self.form.output_norms[i]
        weight = block.conv3.weight.flatten(1)
        return update(pixels(x), weight, norm, state, output, onto, shares, block.last_relu)
