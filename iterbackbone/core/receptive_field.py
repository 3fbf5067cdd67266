"""How far an output of each stage sees, by the iterations."""

from __future__ import annotations

from collections.abc import Sequence

from .adaptive import AdaptiveModule
from .layers import Layer
from .validation import check_int_tuple


def receptive_fields(
    module: AdaptiveModule, max_iterations: Sequence[int] | None = None
) -> tuple[int, ...]:
    """Side of the receptive field of an output of each stage, in pixels of the module's input.

    A field is 1 + the sum over the layers before of (kernel - 1) * dilation * stride so far; of an
    entry's parallel branches, too, which makes it a bound. Global pooling is left out: the halting
    units', which only decides when to stop, and that of squeeze-and-excitation. ``max_iterations``,
    (stages,), are those of each block of a stage; the highest by default. ValueError where one is not
    between 1 and L.
    """
    if max_iterations is not None:
        max_iterations = check_int_tuple('max_iterations', max_iterations, len(module.reductions()), 1)
    field, fields = 1 + sum(layer.field for layer in module.entry_layers()), []
    pairs = zip(module.iterative_stages(), module.reductions(), strict=True)
    for k, (stage, reduction) in enumerate(pairs):
        for block in stage.iterative_blocks():
            times = block.max_iterations if max_iterations is None else max_iterations[k]
            if times > block.max_iterations:
                most = block.max_iterations
                raise ValueError(f'max_iterations[{k}] must be between 1 and {most}, got {times}')
            field += times * sum(Layer.of(conv, reduction).field for conv, _ in block.layers())
        fields.append(field)
    return tuple(fields)
