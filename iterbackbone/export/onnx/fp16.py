"""Convolutions with their norms in float16, loops included; everything else stays float32.

States, weighted sums, pooling and halting are float32, so that 36 additions round nothing away.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .chains import Chain, Scope, prune, replace_nodes, scopes


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of ``model``, exported and float32, with float16 convolutions.

    Raises:
        ValueError: a weight is larger than float16's largest number.
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for scope in reversed(scopes(model)):  # a graph's new nodes are copies, its loops' too
        _Rewriter(scope).run()
    prune(model)
    return model


class _Rewriter:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.prefix = f'{scope.loop.name}.' if scope.loop else ''
        self.known: set[str] = set()  # tensors with a float16 form

    def run(self) -> None:
        replace_nodes(self.scope, self.scope.chains, self.rewritten)

    def rewritten(self, chain: Chain) -> list[onnx.NodeProto]:
        nodes: list[onnx.NodeProto] = []
        for node in chain.nodes:
            copy = onnx.NodeProto.FromString(node.SerializeToString())
            for j, name in enumerate(node.input):
                nodes += self.cast(name)
                copy.input[j] = self.half(name)
            copy.output[0] = self.half(node.output[0])
            self.known.add(node.output[0])
            nodes.append(copy)
        if self.scope.read_elsewhere(chain):
            back = helper.make_node('Cast', [self.half(chain.y)], [chain.y], to=TensorProto.FLOAT)
            nodes.append(back)
        return nodes

    def half(self, name: str) -> str:
        return f'{self.prefix}{name}.fp16'

    def cast(self, name: str) -> list[onnx.NodeProto]:
        """Give a tensor a float16 form: stored if it is a constant, else by the node returned."""
        if name in self.known:
            return []
        self.known.add(name)
        if name not in self.scope.constants:
            return [helper.make_node('Cast', [name], [self.half(name)], to=TensorProto.FLOAT16)]
        value = self.scope.constants[name]
        largest = float(np.abs(value).max(initial=0.0))
        if largest > float(np.finfo(np.float16).max):
            raise ValueError(f'{name}: must be at most 65504 for float16, got {largest:g}')
        tensor = numpy_helper.from_array(value.astype(np.float16), self.half(name))
        self.scope.graph.initializer.append(tensor)
        return []
