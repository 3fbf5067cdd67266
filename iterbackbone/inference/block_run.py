"""One run of an iterative block in its inference form."""

from __future__ import annotations

from torch import Tensor

from ..core.block import IterativeBlock
from ..core.halting import HaltingUnit
from .folding import ScaledSum
from .kernels import Kernel, Size, conv_norm_relu, images, pixels
from .update import update


class BlockRun:
    """One run of a block's loop with the norms folded into the convolutions that it shares.

    Args:
        block: In evaluation mode.
        norms: Folded, in the order of :func:`~iterbackbone.inference.built.norms_of`.
        limit: L'.
    """

    def __init__(self, block: IterativeBlock, norms: list[ScaledSum], limit: int) -> None:
        self.block = block
        self.norms = [norms[i::limit] for i in range(limit)]  # of each iteration
        self.kernels = [Kernel(conv) for conv, _ in block.layers()[:-1]]

    @property
    def halting(self) -> HaltingUnit | None:
        """Of the block; None where L is 1."""
        return self.block.halting

    def iterate(
        self,
        state: Tensor,
        output: Tensor | None,
        onto: Tensor,
        i: int,
        shares: Tensor,
        size: Size,
        halted: Tensor | None = None,
    ) -> Tensor:
        """output = onto + share * y_i and s += y_i in place; returns the sum of y_i, (M, C) float32.

        Args:
            i: From 0.
            size: (H, W); the others are those of :func:`~iterbackbone.inference.update.update`, with
                s_{i-1} as ``state`` and the output so far as ``onto``.
        """
        x = images(state, size)
        *hidden_norms, last = self.norms[i]
        for kernel, norm in zip(self.kernels, hidden_norms, strict=True):
            x = conv_norm_relu(x, kernel(x), norm, kernel.conv)
        weight, relu = self.block.conv3.weight.flatten(1), self.block.last_relu
        return update(pixels(x), weight, last, state, output, onto, shares, relu, halted)
