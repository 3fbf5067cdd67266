"""Convolutions in 8 bits, loops included; everything else, halting above all, stays float32.

What the norms of the iterations do is a factor and a sum for each channel: they become scales of the
same 8-bit weights and 32-bit biases, a row for each iteration. So weights stand once, in loops and
in graphs without them. A ReLU is the 8-bit numbers' own lower end, 0; a ReLU6 has both ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .affine import affine_of
from .calibration import Range, ranges
from .chains import Chain, Scope, prune, replace_nodes, scopes
from .graph import describe

COLOURS = 4  # at most: in QDQ form the stem stays float32, OpenVINO 2026.4 gets it wrong
LARGEST_BIAS = 2.0**30  # leaves room for the sum in 32 bits


def quantized(
    model: onnx.ModelProto,
    description: Mapping[str, Any],
    images: Sequence[np.ndarray],
    reduce_range: bool = False,
) -> onnx.ModelProto:
    """A copy of ``model`` with 8-bit convolutions that says what it is.

    Args:
        model: Of :func:`~iterbackbone.export.onnx.model_file.read_model`.
        description: Likewise.
        images: Real ones, (B, 3, H, W) uint8 in RGB each, which set the ranges. Chains that none
            of them reaches stay as they are.
        reduce_range: Use 7 bits of the weights' 8, for x86 processors without VNNI: there ONNX Runtime
            adds two products in 16 bits, which 8-bit weights overflow.

    Raises:
        ValueError: there is no image.
    """
    if not len(images):
        raise ValueError('images must be at least one for int8: its ranges come from real images')
    found = ranges(model, images)
    model = onnx.ModelProto.FromString(model.SerializeToString())
    fixed = description.get('fixed') is not None
    for scope in reversed(scopes(model)):  # a graph's new nodes are copies, its loops' too
        own = {tensor: each for (name, tensor), each in found.items() if name == scope.name}
        rewriter = _Rewriter(scope, own, fixed, 63.0 if reduce_range else 127.0)
        replace_nodes(scope, rewriter.chains, rewriter.rewritten)
    prune(model)
    describe(model, {**description, 'precision': 'int8'})
    return model


class _Rewriter:
    def __init__(
        self, scope: Scope, ranges: Mapping[str, Range], qdq: bool, largest_weight: float
    ) -> None:
        self.scope = scope
        self.ranges = ranges
        self.largest_weight = largest_weight
        self.convolve = self.in_qdq_form if qdq else self.fused
        fewest = COLOURS + 1 if qdq else 1
        self.chains = [c for c in scope.chains if c.y in ranges and channels(c, scope) >= fewest]
        self.quantities: dict[str, tuple[str, str, str]] = {}  # 8-bit tensor, scale, zero point
        self.prefix = f'{scope.name}.' if scope.loop else ''
        self.stored: set[str] = set()

    def rewritten(self, chain: Chain) -> list[onnx.NodeProto]:
        nodes = []
        if chain.x not in self.quantities:
            quantity = self.declare(chain.x)
            nodes.append(helper.make_node('QuantizeLinear', [chain.x, *quantity[1:]], [quantity[0]]))
        y, *y_step = self.declare(chain.y)
        weight, bias, rows = self.weights(chain, self.scale_of(chain.x))
        nodes += [*rows, *self.convolve(chain, weight, bias, [y, *y_step])]
        if self.scope.read_elsewhere(chain, self.chains):
            nodes.append(helper.make_node('DequantizeLinear', [y, *y_step], [chain.y]))
        return nodes

    def fused(
        self, chain: Chain, weight: list[str], bias: list[str], y: list[str]
    ) -> list[onnx.NodeProto]:
        """One node, for loops: ONNX Runtime does not fuse what has scales chosen at run time."""
        name = f'{self.prefix}{chain.conv.name}.int8'
        zero = f'{weight[0]}.zero'
        self.store(zero, np.zeros(len(self.scope.constants[chain.weight]), dtype=np.int8))
        inputs = [*self.quantities[chain.x], *weight, zero, *y[1:], bias[0]]
        conv = helper.make_node('QLinearConv', inputs, y[:1], name=name)
        conv.attribute.extend(a for a in chain.conv.attribute if a.name != 'auto_pad')
        return [conv]

    def in_qdq_form(
        self, chain: Chain, weight: list[str], bias: list[str], y: list[str]
    ) -> list[onnx.NodeProto]:
        """Conv between DequantizeLinear and QuantizeLinear (QDQ), which runtimes fuse."""
        own = chain.conv.name
        inputs = [f'{own}.{part}' for part in ('x', 'weight', 'bias')]
        conv = helper.make_node('Conv', inputs, [f'{own}.y'], name=f'{own}.int8')
        conv.attribute.extend(a for a in chain.conv.attribute if a.name != 'auto_pad')
        return [
            helper.make_node('DequantizeLinear', self.quantities[chain.x], inputs[:1]),
            helper.make_node('DequantizeLinear', weight, inputs[1:2], axis=0),
            helper.make_node('DequantizeLinear', bias, inputs[2:], axis=0),
            conv,
            helper.make_node('QuantizeLinear', [f'{own}.y', *y[1:]], y[:1]),
        ]

    def declare(self, tensor: str) -> tuple[str, str, str]:
        """Names of a tensor's 8-bit form, of its scale and zero point, which are stored."""
        low, _ = self.ranges[tensor]
        scale = self.scale_of(tensor)
        zero = int(np.clip(round(-min(low, 0.0) / scale), 0, 255))
        own = f'{self.prefix}{tensor}'
        self.quantities[tensor] = q, step, start = f'{own}.q', f'{own}.scale', f'{own}.zero'
        self.store(step, np.float32(scale))
        self.store(start, np.uint8(zero))
        return q, step, start

    def scale_of(self, tensor: str) -> float:
        low, high = self.ranges[tensor]
        return float(np.float32(max(high, 0.0) - min(low, 0.0)) or 1.0) / 255.0

    def weights(
        self, chain: Chain, x_scale: float
    ) -> tuple[list[str], list[str], list[onnx.NodeProto]]:
        """8-bit weight and 32-bit bias, each with its scales, by name; nodes that take rows."""
        weight = self.scope.constants[chain.weight]
        steps = np.abs(weight).reshape(len(weight), -1).max(axis=1) / self.largest_weight
        steps = np.where(steps > 0.0, steps, 1.0)
        q = np.round(weight / steps.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.int8)
        affine = affine_of(chain, self.scope)
        unit = x_scale * steps
        least = np.maximum(np.abs(affine.shift) / (unit * LARGEST_BIAS), 1e-12)
        sign = np.where(affine.gain < 0.0, -1.0, 1.0)
        gain = sign * np.maximum(np.abs(affine.gain), least)  # a gain of 0 has no bias in its units
        name, own = f'{self.prefix}{chain.weight}.int8', f'{self.prefix}{chain.conv.name}'
        self.store(name, q)
        tables = {
            'weight_scale': (steps * gain).astype(np.float32),
            'bias_int32': np.round(affine.shift / (unit * gain)).astype(np.int32),
            'bias_scale': (unit * gain).astype(np.float32),
        }
        found, nodes = [], []
        for part, table in tables.items():
            self.store(f'{own}.{part}', table)
            row, more = self.row(f'{own}.{part}', affine.rows)
            found.append(row)
            nodes += more
        return [name, found[0]], found[1:], nodes

    def row(self, table: str, rows: tuple[onnx.NodeProto, ...]) -> tuple[str, list[onnx.NodeProto]]:
        """As the float graph takes a row of its norm's table."""
        name, nodes = table, []
        for node in rows:
            copy = onnx.NodeProto.FromString(node.SerializeToString())
            copy.input[0], copy.name = name, f'{table}.{node.op_type}'
            name = copy.output[0] = copy.name
            nodes.append(copy)
        return name, nodes

    def store(self, name: str, value: np.ndarray | np.generic) -> None:
        if name not in self.stored:
            self.stored.add(name)
            self.scope.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))


def channels(chain: Chain, scope: Scope) -> int:
    """Of a convolution's input."""
    groups = next((a.i for a in chain.conv.attribute if a.name == 'group'), 1)
    return int(scope.constants[chain.weight].shape[1]) * groups
