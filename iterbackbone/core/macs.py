"""Multiply-accumulates (MACs) of an adaptive network, by input size and iterations.

One multiply-add is 1 MAC. Convolutions and the halting units' linear layers count,
normalisation, pooling and element-wise operations do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from .adaptive import AdaptiveModule
from .entry import Entry, reduced
from .halting import ScoreLayer

M = TypeVar('M', bound=nn.Module)
Size = tuple[int, int]


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
        """MACs of a row that ran ``iterations`` of each block.

        Args:
            iterations: (K,).
            limits: L' of each block where a budget was set; L by default. No score is
                evaluated at the last allowed iteration.
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
    """Count an adaptive network.

    Args:
        module: Backbone or RoI layer.
        input_size: (H, W) of its input in pixels.
    """
    size, fixed = input_size, 0
    for layer in module.entry_layers():
        macs, size = layer_macs(layer, size)
        fixed += macs
    per_iteration, per_score = [], []
    for stage in module.iterative_stages():
        macs, size = layer_macs(stage.transition.conv, size)
        fixed += macs
        for block in stage.blocks:
            per_iteration.append(sum(layer_macs(c, size)[0] for c in of_type(block, nn.Conv2d)))
            per_score.append(sum(fc.weight.numel() for fc in of_type(block, ScoreLayer)))
    return MacTable(input_size, fixed, tuple(per_iteration), tuple(per_score), module.max_iterations)


def of_type(module: nn.Module, kind: type[M]) -> list[M]:
    """The modules of this type below ``module``."""
    return [child for child in module.modules() if isinstance(child, kind)]


def layer_macs(layer: nn.Module, size: Size) -> tuple[int, Size]:
    """MACs and output size of an entry, convolution, pooling or identity on an input of ``size``."""
    if isinstance(layer, nn.Identity):
        return 0, size
    if isinstance(layer, Entry):
        return layer.macs(size), reduced(size, layer.reduction)
    geometry = zip(size, *(pair(getattr(layer, a)) for a in _GEOMETRY), strict=True)
    height, width = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in geometry)
    if not isinstance(layer, nn.Conv2d):
        return 0, (height, width)
    return layer.weight.numel() * height * width, (height, width)


def layer_stride(layer: nn.Module) -> int:
    """Input pixels to one of the output of an entry, convolution, pooling or identity."""
    if isinstance(layer, Entry):
        return layer.reduction
    return pair(getattr(layer, 'stride', 1))[0]


_GEOMETRY = ('kernel_size', 'stride', 'padding', 'dilation')


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """A layer's setting along both axes."""
    return (value, value) if isinstance(value, int) else value
