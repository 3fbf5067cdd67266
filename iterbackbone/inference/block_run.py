"""One run of an iterative block in its inference form."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core import act
from ..core.block import IterativeBlock
from .folding import ScaledSum
from .kernels import Kernel, Size, conv_norm_relu, images, linear_norm, pixels
from .rows import Rows
from .update import update


class BlockRun:
    """One run of a block's loop with the norms folded into the convolutions that it shares.

    Args:
        block: In evaluation mode.
        norms: Folded, in the order of :func:`~iterbackbone.inference.built.norms_of`.
        limit: L'.
        size: (H, W) of the states.
    """

    def __init__(self, block: IterativeBlock, norms: list[ScaledSum], limit: int, size: Size) -> None:
        self.block, self.limit, self.size = block, limit, size
        self.norms = [norms[i::limit] for i in range(limit)]  # of each iteration
        self.kernels = [Kernel(conv) for conv, _ in block.layers()[:-1]]

    def iterate(self, rows: Rows, i: int, threshold: float, halted_stay: bool) -> Tensor:
        """One iteration of ``rows``, in place; returns the halting scores, (M,) float32.

        Args:
            rows: Running, where halted ones do not stay.
            i: From 0.
            threshold: Of the scores' sum.
            halted_stay: Whether some of ``rows`` may have halted.
        """
        onto = rows.part()
        if i > 0 and rows.output is None:  # the first iteration's weight is 1: output and state agree
            rows.output = torch.empty_like(rows.state)
        x = images(rows.state, self.size)
        *hidden_norms, last = self.norms[i]
        for kernel, norm in zip(self.kernels, hidden_norms, strict=True):
            x = conv_norm_relu(x, kernel(x), norm, kernel.conv)
        weight = self.block.conv3.weight.flatten(1).to(x.dtype)

        def y_of(hidden: Tensor) -> Tensor:
            y = linear_norm(hidden, weight, last)
            return y.relu_() if self.block.last_relu else y

        shares = act.output_weight(rows.halting)
        halted = ~rows.halting.running if halted_stay and i > 0 else None
        total = update(pixels(x), y_of, rows.state, rows.output, onto, shares, halted)
        if i == self.limit - 1:
            score = torch.ones_like(rows.halting.cumulative)
        else:
            state_mean, mean = rows.pooled.unbind(1)
            torch.div(total, rows.state.shape[1], out=mean)
            state_mean.add_(mean)
            assert self.block.halting is not None
            score = self.block.halting.score(rows.pooled)
        rows.halting = act.advance(rows.halting, score, threshold)
        return score
