"""An iterative block as one loop of a graph, with the norms of its iterations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import act
from ..core.adaptive import is_exporting
from ..core.block import IterativeBlock
from ..core.halting import mean_over_pixels
from ..inference.folding import Affine, affine_of

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


class Carried(NamedTuple):
    """What one iteration hands to the next; the last four are those of :class:`.act.HaltingState`."""

    i: Tensor  # () int64, iterations done
    state: Tensor  # s_i, (B, C, H, W)
    output: Tensor  # the weighted sum so far, the same
    state_mean: Tensor  # of s_i over the pixels, (B, 1, C) float32
    cumulative: Tensor
    remainder: Tensor
    iterations: Tensor
    running: Tensor


class ExportBlock(nn.Module):
    """An iterative block in evaluation mode; shares its convolutions and halting unit.

    Where ``unrolled``, exactly ``limit`` iterations are computed, without a loop, else at most these.
    Regions that have halted leave the loop.
    """

    def __init__(
        self,
        block: IterativeBlock,
        limit: int,
        unrolled: bool,
        of_regions: bool,
        max_regions: int | None,
    ) -> None:
        super().__init__()
        self.limit, self.unrolled = limit, unrolled
        self.of_regions, self.max_regions = of_regions, max_regions
        layers = [
            (conv, [affine_of(norm) for norm in islice(norms, limit)]) for conv, norms in block.layers()
        ]
        self.convs = nn.ModuleList(conv for conv, _ in layers)
        self.halting = block.halting
        self.last_relu = block.last_relu
        self.norms = nn.ModuleList(
            ConstantNorms(affines) if unrolled else NormTables(affines, conv)
            for conv, affines in layers
        )

    def forward(self, x: Tensor, limit: Tensor, threshold: Tensor) -> Carried:
        """From s_0, (B, C, H, W), to where the loop ended.

        The ``limit`` L', () int64, is not read where ``unrolled``; the threshold is () float32.
        """

        def going_on(*carried: Tensor) -> Tensor:
            return (carried[0] < limit) & carried[-1].any()

        def iterate(*carried: Tensor) -> tuple[Tensor, ...]:
            if not self.of_regions:
                return self._iterate(Carried(*carried), limit, threshold)
            index = carried[-1].nonzero().squeeze(1)
            running = Carried(carried[0], *(x[index] for x in carried[1:]))
            i, *after = self._iterate(running, limit, threshold)
            pairs = zip(carried[1:], after, strict=True)
            return i, *(whole.index_put((index,), part) for whole, part in pairs)

        for norm in self.norms:
            if isinstance(norm, NormTables):  # asked here: inside a loop torch always says no
                norm.depthwise = torch.onnx.is_in_onnx_export() and not self.of_regions
        done = torch.zeros((), dtype=torch.int64, device=x.device)
        state_mean = mean_over_pixels(x).unsqueeze(1)
        halting = act.initial_state(x.shape[0], x.device)
        # A loop's inputs must not alias.
        carried: tuple[Tensor, ...] = Carried(done, x, x.clone(), state_mean, *halting)
        if self.unrolled:
            for i in range(self.limit):
                carried = self._iterate(Carried(*carried), limit, threshold, i)
        elif is_exporting():
            carried = self._traced(going_on, iterate, carried)
        else:
            while going_on(*carried):
                carried = iterate(*carried)
        return Carried(*carried)

    def executed(self, end: Carried) -> Tensor:
        """Iterations computed for each region, (R,) int64, or for every image, ()."""
        if not self.of_regions:
            return end.i
        return torch.full_like(end.iterations, self.limit) if self.unrolled else end.iterations

    def _traced(
        self, going_on: Callable[..., Tensor], iterate: Callable[..., Any], start: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        """``torch.while_loop`` with what it needs: numbers of rows that do not depend on data."""
        if self.max_regions is None:
            return torch.while_loop(going_on, iterate, start)
        i, *rows = start
        count = rows[0].shape[0]
        missing = self.max_regions - count  # these never run: their ``running`` is False
        padded = (torch.cat((x, x.new_zeros(missing, *x.shape[1:]))) for x in rows)
        i, *rows = torch.while_loop(going_on, iterate, (i, *padded))
        return i, *(x[:count] for x in rows)

    def _iterate(
        self, now: Carried, limit: Tensor, threshold: Tensor, known_i: int | None = None
    ) -> Carried:
        """One iteration of Algorithm 1; ``known_i`` where the graph has no loop."""
        halting = act.HaltingState(*now[4:])
        y = self._residual(now.state, now.i if known_i is None else known_i)
        share = act.output_weight(halting).view(-1, 1, 1, 1)
        mean = mean_over_pixels(y).unsqueeze(1)
        state_mean = now.state_mean + mean
        score = torch.ones_like(halting.cumulative)
        if self.halting is not None and (known_i is None or known_i + 1 < self.limit):
            unit_score = self.halting.score(torch.cat((state_mean, mean), dim=1))
            score = unit_score if known_i is not None else unit_score.where(now.i + 1 < limit, score)
        halting = act.advance(halting, score, threshold)
        output = now.output + share.to(y.dtype) * y
        return Carried(now.i + 1, now.state + y, output, state_mean, *halting)

    def _residual(self, state: Tensor, i: int | Tensor) -> Tensor:
        """y = F_i(s)."""
        x = state
        for k, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True), start=1):
            x = norm(conv, x, i)
            x = F.relu(x) if k < len(self.convs) or self.last_relu else x
        return x
