"""How far an output of each stage sees, by the iterations."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from .adaptive import AdaptiveModule
from .entry import Entry
from .macs import layer_stride, of_type, pair
from .validation import check_int_tuple


def receptive_fields(
    module: AdaptiveModule, max_iterations: Sequence[int] | None = None
) -> tuple[int, ...]:
    """Side of the receptive field of an output of each stage, in pixels of the module's input.

    A field is 1 + the sum over the layers before of (kernel - 1) * dilation * stride so far. The
    halting units' global pooling, which only decides when to stop, is left out.

    Args:
        module: Backbone or RoI layer.
        max_iterations: Iterations of each block of a stage, (stages,); the highest by default.

    Raises:
        TypeError, ValueError: ``max_iterations`` has no int between 1 and L for each stage.
    """
    stages = module.iterative_stages()
    if max_iterations is not None:
        max_iterations = check_int_tuple('max_iterations', max_iterations, len(stages), 1)
    stride, field, fields = 1, 1, []
    for layer in module.entry_layers():
        stride, field = _behind(layer, stride, field)
    for k, stage in enumerate(stages):
        stride, field = _behind(stage.transition.conv, stride, field)
        for block in stage.iterative_blocks():
            times = block.max_iterations if max_iterations is None else max_iterations[k]
            if times > block.max_iterations:
                raise ValueError(
                    f'max_iterations[{k}] must be between 1 and {block.max_iterations}, got {times}'
                )
            for conv in of_type(block, nn.Conv2d):
                field += times * (_behind(conv, stride, field)[1] - field)
        fields.append(field)
    return tuple(fields)


def _behind(layer: nn.Module, stride: int, field: int) -> tuple[int, int]:
    """Stride and field behind an entry, a convolution, a pooling or an identity, all square."""
    wider = layer.field - 1 if isinstance(layer, Entry) else _reach(layer)
    return stride * layer_stride(layer), field + wider * stride


def _reach(layer: nn.Module) -> int:
    """How many pixels of its input an output sees beside its own."""
    kernel, dilation = (pair(getattr(layer, name, 1))[0] for name in ('kernel_size', 'dilation'))
    return (kernel - 1) * dilation
