"""How far an output of each stage sees, by the iterations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from .adaptive import AdaptiveModule
from .macs import of_type, pair
from .validation import check_int_tuple

Field = tuple[int, int]


def receptive_fields(
    module: AdaptiveModule, max_iterations: Sequence[int] | None = None
) -> tuple[Field, ...]:
    """Receptive field of an output of each stage, in pixels of the module's input.

    A field is 1 + the sum over the layers before of (kernel - 1) * dilation * stride so far. The
    halting units' global pooling, which only decides when to stop, is left out.

    Args:
        module: Backbone or RoI layer.
        max_iterations: Iterations of each block of a stage, (stages,); the highest by default.

    Returns:
        (height, width) of each stage.

    Raises:
        TypeError, ValueError: ``max_iterations`` has no int between 1 and L for each stage.
    """
    stages = module.iterative_stages()
    if max_iterations is not None:
        max_iterations = check_int_tuple('max_iterations', max_iterations, len(stages), 1)
    return tuple(
        (heights[1], widths[1])
        for heights, widths in zip(
            *(_along(module, axis, max_iterations) for axis in (0, 1)), strict=True
        )
    )


def _along(
    module: AdaptiveModule, axis: int, iterations: Sequence[int] | None
) -> list[tuple[int, int]]:
    """(stride, field) behind each stage along one axis."""
    stride, field = 1, 1
    for layer in module.entry_layers():
        stride, field = _behind(layer, stride, field, axis)
    fields = []
    for k, stage in enumerate(module.iterative_stages()):
        stride, field = _behind(stage.transition.conv, stride, field, axis)
        for block in stage.iterative_blocks():
            times = block.max_iterations if iterations is None else iterations[k]
            if times > block.max_iterations:
                raise ValueError(
                    f'max_iterations[{k}] must be between 1 and {block.max_iterations}, got {times}'
                )
            for conv in of_type(block, nn.Conv2d):
                field += times * (_behind(conv, stride, field, axis)[1] - field)
        fields.append((stride, field))
    return fields


def _behind(layer: Any, stride: int, field: int, axis: int) -> tuple[int, int]:
    """Stride and field behind a convolution, a pooling or an identity."""
    if isinstance(layer, nn.Identity):
        return stride, field
    kernel, step, dilation = (
        pair(getattr(layer, name))[axis] for name in ('kernel_size', 'stride', 'dilation')
    )
    return stride * step, field + (kernel - 1) * dilation * stride
