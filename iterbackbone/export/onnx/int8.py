"""Convolutions in 8 bits, loops included; everything else, halting above all, stays float32.

What the norms of the iterations do is a factor and a sum for each channel: they become scales of the
same 8-bit weights and 32-bit biases, a row for each iteration. So weights stand once, in loops and
in graphs without them. A ReLU is the 8-bit numbers' own lower end, 0; a ReLU6 has both ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from .calibration import Range, ranges
from .chains import Chain, affine_of, chains, scopes
from .graph import describe

COLOURS = 4  # at most: in QDQ form the stem stays float32, OpenVINO 2026.4 gets it wrong
LARGEST_BIAS = 2.0**30  # leaves room for the sum in 32 bits
Values = Sequence[ir.Value]


def quantized(
    model: onnx.ModelProto,
    description: Mapping[str, Any],
    images: Sequence[np.ndarray],
    reduce_range: bool = False,
) -> onnx.ModelProto:
    """A copy of a model, as of :func:`.model_file.read_model`, with 8-bit convolutions, which says so.

    Args:
        images: Real ones, (B, 3, H, W) uint8 in RGB each, at least one, which set the ranges. Chains
            that none of them reaches stay as they are.
        reduce_range: Use 7 bits of the weights' 8, for x86 processors without VNNI: there ONNX Runtime
            adds two products in 16 bits, which 8-bit weights overflow.
    """
    if not len(images):
        raise ValueError('images must be at least one for int8: its ranges come from real images')
    found = iter(ranges(model, images))
    changed = ir.from_proto(model)
    for graph, _ in scopes(changed):
        rewriter = _Rewriter(graph, description.get('fixed') is not None, 63 if reduce_range else 127)
        for chain in chains(graph):
            if limits := next(found):
                rewriter.rewrite(chain, *limits)
    RemoveUnusedNodesPass()(changed)
    for graph, _ in scopes(changed):
        for value in [each for each in graph.initializers.values() if not each.uses()]:
            if not (value.is_graph_input() or value.is_graph_output()):
                graph.initializers.pop(str(value.name))
    result = ir.to_proto(changed)
    describe(result, {**description, 'precision': 'int8'})
    return result


class _Rewriter:
    def __init__(self, graph: ir.Graph, qdq: bool, largest_weight: int) -> None:
        self.graph = graph
        self.largest_weight = largest_weight
        self.fewest_channels = COLOURS + 1 if qdq else 1
        self.convolve = self.in_qdq_form if qdq else self.fused
        self.quantities: dict[ir.Value, Values] = {}  # 8-bit tensor, scale, zero point

    def rewrite(self, chain: Chain, x_range: Range, y_range: Range) -> None:
        """Put an 8-bit form in front of ``chain``, which nothing reads any more."""
        if chain.kernel.shape[1] * chain.conv.attributes.get_int('group', 1) < self.fewest_channels:
            return
        self.place, x, y = chain.last, chain.x, chain.y
        if x not in self.quantities:
            step = self.step(x, x_range)
            self.quantities[x] = self.add('QuantizeLinear', [x, *step], f'{x.name}.q'), *step
        y_step = self.step(y, y_range)
        weight, bias = self.weights(chain, scale_of(x_range))
        quantity = self.convolve(chain, weight, bias, y_step), *y_step
        back = self.add('DequantizeLinear', quantity, f'{y.name}.float')
        back.type, back.shape = y.type, y.shape
        y.replace_all_uses_with(back, replace_graph_outputs=True)
        y.name, back.name = back.name, y.name
        self.quantities[back] = quantity

    def fused(self, chain: Chain, weight: Values, bias: Values, y: Values) -> ir.Value:
        """One node, for loops: ONNX Runtime does not fuse what has scales chosen at run time."""
        zero = self.constant(f'{weight[0].name}.zero', np.zeros(len(chain.kernel), dtype=np.int8))
        inputs = [*self.quantities[chain.x], *weight, zero, *y, bias[0]]
        return self.add('QLinearConv', inputs, f'{chain.y.name}.q', chain.conv)

    def in_qdq_form(self, chain: Chain, weight: Values, bias: Values, y: Values) -> ir.Value:
        """Conv between DequantizeLinear and QuantizeLinear (QDQ), which runtimes fuse."""
        own = chain.y.name
        inputs = [
            self.add('DequantizeLinear', self.quantities[chain.x], f'{own}.x'),
            self.add('DequantizeLinear', weight, f'{own}.weight', axis=0),
            self.add('DequantizeLinear', bias, f'{own}.bias', axis=0),
        ]
        conv = self.add('Conv', inputs, f'{own}.sum', chain.conv)
        return self.add('QuantizeLinear', [conv, *y], f'{own}.q')

    def weights(self, chain: Chain, x_scale: float) -> tuple[Values, Values]:
        """8-bit weight and 32-bit bias, each with its scales."""
        weight = chain.kernel
        steps = np.abs(weight).reshape(len(weight), -1).max(axis=1) / self.largest_weight
        steps = np.where(steps > 0.0, steps, 1.0)
        q = np.round(weight / steps.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.int8)
        affine = affine_of(chain)
        unit = x_scale * steps
        least = np.maximum(np.abs(affine.shift) / (unit * LARGEST_BIAS), 1e-12)
        sign = np.where(affine.gain < 0.0, -1.0, 1.0)
        gain = sign * np.maximum(np.abs(affine.gain), least)  # a gain of 0 has no bias in its units
        tables = {
            'weight_scale': (steps * gain).astype(np.float32),
            'bias_int32': np.round(affine.shift / (unit * gain)).astype(np.int32),
            'bias_scale': (unit * gain).astype(np.float32),
        }
        rows = [self.row(f'{chain.y.name}.{part}', table, affine.row) for part, table in tables.items()]
        return [self.constant(f'{chain.weight.name}.int8', q), rows[0]], rows[1:]

    def row(self, name: str, table: np.ndarray, gather: ir.Node | None) -> ir.Value:
        """As the float graph takes a row of its norm's table."""
        value = self.constant(name, table)
        if gather is None:
            return value
        return self.add('Gather', [value, gather.inputs[1]], f'{name}.row', axis=0)

    def step(self, value: ir.Value, limits: Range) -> Values:
        """Scale and zero point."""
        scale = scale_of(limits)
        zero = np.clip(round(-min(limits[0], 0.0) / scale), 0, 255)
        return [
            self.constant(f'{value.name}.scale', np.float32(scale)),
            self.constant(f'{value.name}.zero', np.uint8(zero)),
        ]

    def constant(self, name: str, value: np.ndarray | np.generic) -> ir.Value:
        if name not in self.graph.initializers:
            tensor = ir.tensor(np.asarray(value), name=name)
            self.graph.register_initializer(ir.val(name, const_value=tensor))
        return self.graph.initializers[name]

    def add(
        self,
        kind: str,
        inputs: Sequence[ir.Value | None],
        name: str,
        conv: ir.Node | None = None,
        **attributes: Any,
    ) -> ir.Value:
        """What a new node makes; one that stands for ``conv`` has its attributes."""
        if conv is not None:
            attributes = {k: v for k, v in conv.attributes.items() if k != 'auto_pad'}
        label = f'{conv.name}.int8' if conv else name
        node = ir.node(kind, inputs, attributes, name=label)
        node.outputs[0].name = name
        self.graph.insert_before(self.place, node)
        return node.outputs[0]


def scale_of(limits: Range) -> float:
    """Of 8-bit numbers that hold these and 0."""
    return float(np.float32(max(limits[1], 0.0) - min(limits[0], 0.0)) or 1.0) / 255.0
