"""Multiply-accumulates (MACs) of an adaptive network, by input size and iterations.

One multiply-add is 1 MAC. Convolutions and the halting units' linear layers count,
normalisation, pooling and element-wise operations do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .adaptive import AdaptiveModule
from .halting import ScoreLayer
from .layers import Size, pixels, weights_of


@dataclass(frozen=True)
class MacTable:
    """MACs of one row (image or RoI) at one input size; K = stages * blocks.

    Attributes:
        input_size: (H, W) in pixels.
        fixed: Stem or entry, and transitions.
        per_iteration: Of one iteration of each block, (K,).
        per_score: Of one evaluation of each block's halting unit, (K,).
        max_iterations: L of each block, (K,).
    """

    input_size: Size
    fixed: int
    per_iteration: tuple[int, ...]
    per_score: tuple[int, ...]
    max_iterations: tuple[int, ...]

    def total(self, iterations: Iterable[int], limits: Sequence[int] | None = None) -> int:
        """MACs of a row that ran ``iterations``, (K,).

        ``limits`` are L' of each block where a budget was set; L by default. No score is evaluated at
        the last allowed iteration.
        """
        limits = self.max_iterations if limits is None else limits
        blocks = zip(iterations, limits, self.per_iteration, self.per_score, strict=True)
        return self.fixed + sum(n * each + min(n, cap - 1) * score for n, cap, each, score in blocks)

    @property
    def lowest(self) -> int:
        """MACs of one iteration everywhere, capped there."""
        ones = (1,) * len(self.max_iterations)
        return self.total(ones, limits=ones)

    @property
    def highest(self) -> int:
        """MACs of all iterations."""
        return self.total(self.max_iterations)


def mac_table(module: AdaptiveModule, input_size: Size) -> MacTable:
    """Count a backbone or RoI layer on an input of (H, W) pixels."""
    fixed = sum(layer.total(input_size) for layer in module.entry_layers())
    per_iteration, per_score = [], []
    for stage, reduction in zip(module.iterative_stages(), module.reductions(), strict=True):
        area = pixels(input_size, reduction)
        fixed += weights_of(stage.transition.conv) * area
        for block in stage.iterative_blocks():
            per_iteration.append(area * sum(weights_of(conv) for conv, _ in block.layers()))
            scores = (part for part in block.modules() if isinstance(part, ScoreLayer))
            per_score.append(sum(fc.in_features * fc.out_features for fc in scores))
    return MacTable(input_size, fixed, tuple(per_iteration), tuple(per_score), module.max_iterations)
