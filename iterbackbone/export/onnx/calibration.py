"""The ranges that a graph's tensors take on images, inside loops too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import onnx
import onnx_ir as ir

from .chains import chains, scopes
from .runtime import open_session, run

Range = tuple[float, ...]  # lowest and highest


def ranges(model: onnx.ModelProto, images: Iterable[np.ndarray]) -> list[tuple[Range, Range] | None]:
    """Lowest and highest value of what enters and what leaves each chain of all :func:`scopes`.

    None where no image reaches it. A loop hands out the extremes of each iteration; the mean over
    the images, (B, 3, H, W) uint8 in RGB, of each image's extremes is taken, so that one odd image
    does not coarsen all others.
    """
    observed = ir.from_proto(model)
    names = list(_observe(observed))
    session = open_session(ir.to_proto(observed).SerializeToString())
    extremes: list[list[Range]] = [[] for _ in names[::2]]
    for image in images:
        values = run(session, {'image': image})
        for each, low, high in zip(extremes, names[::2], names[1::2], strict=True):
            if values[low].size:
                each.append((float(values[low].min()), float(values[high].max())))
    means = [tuple(map(float, np.mean(each, axis=0))) if each else None for each in extremes]
    return [(x, y) if x and y else None for x, y in zip(means[::2], means[1::2], strict=True)]


def _observe(model: ir.Model) -> Iterator[str]:
    """Make the extremes outputs of the model, which are named; of a loop, one value an iteration."""
    count = 0
    for graph, loop in scopes(model):
        for value in [value for chain in chains(graph) for value in (chain.x, chain.y)]:
            for kind in ('ReduceMin', 'ReduceMax'):
                count += 1
                node = ir.node(kind, [value], {'keepdims': 0})
                graph.append(node)
                graph.outputs.append(_named(node.outputs[0], f'extreme_{count}', []))
                if loop is not None:
                    loop.resize_outputs(len(loop.outputs) + 1)
                    name = f'extremes_{count}'
                    model.graph.outputs.append(_named(loop.outputs[-1], name, [None]))
                yield str(model.graph.outputs[-1].name)


def _named(value: ir.Value, name: str, shape: list[int | None]) -> ir.Value:
    value.name, value.shape = name, ir.Shape(shape)
    value.type = ir.TensorType(ir.DataType.FLOAT)
    return value
