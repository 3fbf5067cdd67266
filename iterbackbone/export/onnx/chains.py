"""Convolutions of an exported graph and its loops, with the norm and activation behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

Constants = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Chain:
    """Conv, norm or not, activation or not; nothing else reads what is in between."""

    # Mul of the constant kernel with the norm's scale; its shift is then the bias.
    scaling: onnx.NodeProto | None
    conv: onnx.NodeProto
    norm: onnx.NodeProto | None  # BatchNormalization, or depthwise 1x1 Conv of no constants
    activation: onnx.NodeProto | None  # Relu, or Clip around 0 by constants, such as ReLU6
    weight: str  # name of the constant kernel

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        parts = (self.scaling, self.conv, self.norm, self.activation)
        return [node for node in parts if node is not None]

    @property
    def x(self) -> str:
        """Name of the input."""
        return self.conv.input[0]

    @property
    def y(self) -> str:
        """Name of the output."""
        return self.nodes[-1].output[0]


@dataclass(frozen=True)
class Scope:
    """A graph and what it can see."""

    graph: onnx.GraphProto  # the model's, or a loop's body
    loop: onnx.NodeProto | None  # whose body it is; None for the model's
    made_by: Mapping[str, onnx.NodeProto]  # the node behind each tensor of the graph
    constants: Constants  # by name; those around the loop too
    chains: list[Chain]  # in order

    @property
    def name(self) -> str:
        """Of the loop; '' for the model's graph."""
        return self.loop.name if self.loop else ''

    def read_elsewhere(self, chain: Chain, chains: Sequence[Chain]) -> bool:
        """Whether anything but the data input of one of ``chains`` reads the chain's output."""
        reads = Counter(name for node in self.graph.node for name in names_read(node))
        reads.update(output.name for output in self.graph.output)
        return reads[chain.y] > sum(each.x == chain.y for each in chains)


def scopes(model: onnx.ModelProto) -> list[Scope]:
    """The model's graph and the bodies of its loops, one level deep, with their chains.

    Convolutions whose kernel is neither a constant nor a constant times a scale are left out.
    """
    outer = _constants(model.graph)
    found = [_scope(model.graph, None, outer)]
    for node, body in loops(model):
        found.append(_scope(body, node, {**outer, **_constants(body)}))
    return found


def loops(model: onnx.ModelProto) -> Iterator[tuple[onnx.NodeProto, onnx.GraphProto]]:
    """Each loop with its body."""
    for node in model.graph.node:
        if node.op_type == 'Loop':
            yield node, next(a.g for a in node.attribute if a.name == 'body')


def names_read(node: onnx.NodeProto) -> list[str]:
    """What a node reads, the graphs inside it included."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        names += [name for inner in attribute.g.node for name in names_read(inner)]
        names += [output.name for output in attribute.g.output]
    return names


def prune(model: onnx.ModelProto) -> None:
    """Take out nodes and weights that nothing reads any more."""
    for graph in [*(body for _, body in loops(model)), model.graph]:
        while True:
            read = {name for node in graph.node for name in names_read(node)}
            read |= {output.name for output in graph.output}
            kept = [node for node in graph.node if read.intersection(node.output)]
            if len(kept) == len(graph.node):
                break
            _replace(graph.node, kept)
        inputs = {value.name for value in graph.input}
        _replace(graph.initializer, [t for t in graph.initializer if t.name in read | inputs])


def replace_nodes(
    scope: Scope, chains: Sequence[Chain], rewritten: Callable[[Chain], list[onnx.NodeProto]]
) -> None:
    """Put ``rewritten`` nodes where the last node of each of ``chains`` was."""
    last = {chain.y: chain for chain in chains}
    inside = {node.output[0] for chain in chains for node in chain.nodes[:-1]}
    nodes: list[onnx.NodeProto] = []
    for node in scope.graph.node:
        if node.output[0] in last:
            nodes += rewritten(last[node.output[0]])
        elif node.output[0] not in inside:
            nodes.append(node)
    _replace(scope.graph.node, nodes)


def _replace(field: Any, values: Sequence[Any]) -> None:
    copies = [type(value).FromString(value.SerializeToString()) for value in values]
    del field[:]
    field.extend(copies)


def _constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    inputs = {value.name for value in graph.input}  # those have defaults only
    return {t.name: numpy_helper.to_array(t) for t in graph.initializer if t.name not in inputs}


def _scope(graph: onnx.GraphProto, loop: onnx.NodeProto | None, constants: Constants) -> Scope:
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in names_read(node):
            readers.setdefault(name, []).append(node)
    made_by = {name: node for node in graph.node for name in node.output}
    outputs = {output.name for output in graph.output}

    def behind(node: onnx.NodeProto, kind: str) -> onnx.NodeProto | None:
        name = node.output[0]
        after = readers.get(name, [])
        if len(after) == 1 and name not in outputs and after[0].op_type == kind:
            return after[0]
        return None

    def kernel(conv: onnx.NodeProto) -> tuple[onnx.NodeProto | None, str] | None:
        name = conv.input[1]
        if name in constants:
            return None, name
        scaling = made_by.get(name)
        if scaling is None or scaling.op_type != 'Mul' or not behind(scaling, 'Conv'):
            return None
        return next(((scaling, name) for name in scaling.input if name in constants), None)

    def activation(node: onnx.NodeProto) -> onnx.NodeProto | None:
        clip = behind(node, 'Clip')
        return clip if clip and _keeps_zero(clip, constants) else behind(node, 'Relu')

    chains = []
    for conv in graph.node:
        if conv.op_type == 'Conv' and (found := kernel(conv)):
            norm = behind(conv, 'BatchNormalization') or behind(conv, 'Conv')
            if norm and norm.op_type == 'Conv' and kernel(norm):  # the next chain's
                norm = None
            chains.append(Chain(found[0], conv, norm, activation(norm or conv), found[1]))
    return Scope(graph, loop, made_by, constants, chains)


def _keeps_zero(clip: onnx.NodeProto, constants: Constants) -> bool:
    """Whether a Clip's limits are constants around 0, which 8-bit numbers always hold."""
    low, high = [*clip.input[1:], '', ''][:2]
    if not all(name in constants for name in (low, high) if name):
        return False
    return bool(constants.get(low, -np.inf) <= 0.0 <= constants.get(high, np.inf))
