"""An iterative block as one loop of a graph."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import act
from ..core.block import IterativeBlock
from ..core.halting import mean_over_pixels
from ..inference.folding import affine_of
from .norms import ConstantNorms, NormTables


class Carried(NamedTuple):
    """What one iteration hands to the next; the last four are those of :class:`.act.HaltingState`."""

    i: Tensor  # () int64, iterations done
    state: Tensor  # s_i, (B, C, H, W)
    output: Tensor  # the weighted sum so far, the same
    pooled: Tensor  # mean of s_i, (B, 1, C) float32
    cumulative: Tensor
    remainder: Tensor
    iterations: Tensor
    running: Tensor

    @property
    def halting(self) -> act.HaltingState:
        return act.HaltingState(*self[4:])


class ExportBlock(nn.Module):
    """An iterative block with stacked norms; shares its convolutions and halting unit.

    Args:
        block: In evaluation mode.
        limit: Highest number of iterations.
        unrolled: Whether exactly ``limit`` iterations are computed, without a loop.
        of_regions: Whether rows are regions: those that have halted leave the loop.
        max_regions: See :class:`~iterbackbone.export.ExportForm`.
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
        carried: tuple[Tensor, ...] = self._start(x)
        if self.unrolled:
            for i in range(self.limit):
                carried = self._iterate(Carried(*carried), limit, threshold, i)
        elif torch.compiler.is_exporting():
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

    def _start(self, x: Tensor) -> Carried:
        halting = act.initial_state(x.shape[0], x.device)
        done = torch.zeros((), dtype=torch.int64, device=x.device)
        output = x.clone()  # a loop's inputs must not alias
        return Carried(done, x, output, mean_over_pixels(x).unsqueeze(1), *halting)

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
        halting = now.halting
        y = self._residual(now.state, now.i if known_i is None else known_i)
        share = act.output_weight(halting).view(-1, 1, 1, 1)
        mean = mean_over_pixels(y).unsqueeze(1)
        pooled = now.pooled + mean
        score = torch.ones_like(halting.cumulative)
        if self.halting is not None and (known_i is None or known_i + 1 < self.limit):
            unit_score = self.halting.score(torch.cat((pooled, mean), dim=1))
            score = unit_score if known_i is not None else unit_score.where(now.i + 1 < limit, score)
        halting = act.advance(halting, score, threshold)
        output = now.output + share.to(y.dtype) * y
        return Carried(now.i + 1, now.state + y, output, pooled, *halting)

    def _residual(self, state: Tensor, i: int | Tensor) -> Tensor:
        """y = F_i(s)."""
        x = state
        for k, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True), start=1):
            x = norm(conv, x, i)
            x = F.relu(x) if k < len(self.convs) or self.last_relu else x
        return x
