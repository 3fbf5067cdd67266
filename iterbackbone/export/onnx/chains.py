"""Convolutions of an exported graph and its loops, with the norm and activation behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx_ir as ir


class Chain(NamedTuple):
    """Conv, norm or not, activation or not; nothing else reads what is in between."""

    weight: ir.Value  # the constant kernel
    scaling: ir.Node | None  # Mul of the kernel with the norm's scale; its shift is then the bias
    conv: ir.Node
    norm: ir.Node | None  # BatchNormalization, or depthwise 1x1 Conv of no constants
    activation: ir.Node | None  # Relu, or Clip around 0 by constants, such as ReLU6

    @property
    def x(self) -> ir.Value:
        return self.conv.inputs[0]  # type: ignore[return-value]

    @property
    def kernel(self) -> np.ndarray:
        return self.weight.const_value.numpy()  # type: ignore[union-attr]

    @property
    def last(self) -> ir.Node:
        return self.activation or self.norm or self.conv

    @property
    def y(self) -> ir.Value:
        return self.last.outputs[0]


class Affine(NamedTuple):
    """What follows a convolution's sum, bias and norm in one: gain * sum + shift."""

    gain: np.ndarray  # (C,), or (L, C) with one row of each iteration; float64
    shift: np.ndarray  # the same
    row: ir.Node | None  # Gather of the iteration's row; None for (C,)


def scopes(model: ir.Model) -> Iterator[tuple[ir.Graph, ir.Node | None]]:
    """The model's graph, and the body of each loop with the loop."""
    yield model.graph, None
    for node in model.graph:
        if node.op_type == 'Loop':
            yield node.attributes['body'].as_graph(), node


def chains(graph: ir.Graph) -> list[Chain]:
    """Those of one graph in order; kernels are constants, or constants times a scale."""
    found = []
    for conv in graph:
        if conv.op_type == 'Conv' and (kernel := _kernel(conv)):
            norm = _behind(conv, 'BatchNormalization') or _behind(conv, 'Conv')
            if norm and norm.op_type == 'Conv' and _kernel(norm):  # the next chain's
                norm = None
            found.append(Chain(*kernel, conv, norm, _activation(norm or conv)))
    return found


def constant(value: ir.Value | None) -> np.ndarray | None:
    """What ``value`` always is; None where that varies: inputs have defaults only."""
    if value is None or value.const_value is None or value.is_graph_input():
        return None
    return value.const_value.numpy()


def affine_of(chain: Chain) -> Affine:
    """Of a chain whose norm, if it is a BatchNormalization, has constant mean and variance."""
    bias = np.zeros(len(chain.kernel))
    if len(chain.conv.inputs) > 2:
        bias, _ = _table(chain.conv.inputs[2])
    if chain.scaling is not None:
        factor = next(value for value in chain.scaling.inputs if value is not chain.weight)
        gain, row = _table(factor)
        return Affine(gain, bias, row)
    if chain.norm is None:
        return Affine(np.ones(len(bias)), bias, None)
    gain, row = _table(chain.norm.inputs[1])
    mean, shift = np.zeros(len(bias)), _table(chain.norm.inputs[2])[0]
    if chain.norm.op_type == 'BatchNormalization':
        mean, variance = (_table(value)[0] for value in chain.norm.inputs[3:5])
        gain = gain / np.sqrt(variance + chain.norm.attributes.get_float('epsilon', 1e-5))
    return Affine(gain, (bias - mean) * gain + shift, row)


def _table(value: Any) -> tuple[np.ndarray, ir.Node | None]:
    """A constant, and the node that takes a row of it; how the row is shaped then is left out."""
    row = None
    while (found := constant(value)) is None:
        node = value.producer()
        row = node if node.op_type == 'Gather' else row
        value = node.inputs[0]
    return found.astype(np.float64), row


def _behind(node: ir.Node, kind: str) -> ir.Node | None:
    """The only reader of what ``node`` makes, if it is of this kind."""
    value = node.outputs[0]
    readers = [reader for reader, _ in value.uses()]
    if len(readers) != 1 or value.is_graph_output():
        return None
    return readers[0] if readers[0].op_type == kind and readers[0].graph is node.graph else None


def _kernel(conv: ir.Node) -> tuple[ir.Value, ir.Node | None] | None:
    """The constant kernel, and the Mul that scales it."""
    value: Any = conv.inputs[1]
    if constant(value) is not None:
        return value, None
    scaling = value.producer()
    if scaling is None or scaling.op_type != 'Mul' or not _behind(scaling, 'Conv'):
        return None
    return next(
        ((each, scaling) for each in scaling.inputs if each and constant(each) is not None), None
    )


def _activation(node: ir.Node) -> ir.Node | None:
    clip = _behind(node, 'Clip')
    if clip is None:
        return _behind(node, 'Relu')
    low, high = ([*clip.inputs, None, None])[1:3]
    limits = [constant(value) for value in (low, high) if value is not None]
    # 8-bit numbers always hold 0, so limits that leave it out stay a node of their own.
    known = all(limit is not None for limit in limits)
    return clip if known and np.clip(0.0, constant(low), constant(high)) == 0.0 else None
