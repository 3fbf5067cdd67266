"""The ranges that a graph's tensors take on images, inside loops too."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper

from .chains import Scope, scopes
from .runtime import open_session, run

Range = tuple[float, float]
Key = tuple[str, str]  # names of the scope and of the tensor


def ranges(model: onnx.ModelProto, images: Iterable[np.ndarray]) -> dict[Key, Range]:
    """Lowest and highest value of what enters and leaves each chain, if any image reaches it.

    A loop hands out the extremes of each iteration; the mean over the images, (B, 3, H, W) uint8 in
    RGB, of each image's extremes is taken, so that one odd image does not coarsen all others.
    """
    observed = onnx.ModelProto.FromString(model.SerializeToString())
    keys = [key for scope in scopes(observed) for key in _observe(observed, scope)]
    session = open_session(observed.SerializeToString())
    names = [output.name for output in session.get_outputs()][-2 * len(keys) :]
    extremes: dict[Key, list[Range]] = {key: [] for key in keys}
    for image in images:
        values = run(session, names, {'image': image})
        for key, low, high in zip(keys, values[::2], values[1::2], strict=True):
            if low.size:
                extremes[key].append((float(low.min()), float(high.max())))
    reached = {key: zip(*each, strict=True) for key, each in extremes.items() if each}
    return {key: (float(np.mean(low)), float(np.mean(high))) for key, (low, high) in reached.items()}


def _observe(model: onnx.ModelProto, scope: Scope) -> list[Key]:
    """Make the extremes outputs of the model; in a loop, as one value of each iteration."""
    tensors = list(dict.fromkeys(name for chain in scope.chains for name in (chain.x, chain.y)))
    for tensor in tensors:
        for kind in ('ReduceMin', 'ReduceMax'):
            name = f'{scope.name}.{tensor}.{kind}'
            scope.graph.node.append(helper.make_node(kind, [tensor], [name], name=name, keepdims=0))
            value = helper.make_tensor_value_info(name, TensorProto.FLOAT, [])
            scope.graph.output.append(value)
            if scope.loop:
                outside = f'{name}.all'
                scope.loop.output.append(outside)
                value = helper.make_tensor_value_info(outside, TensorProto.FLOAT, [None])
                model.graph.output.append(value)
    return [(scope.name, tensor) for tensor in tensors]
