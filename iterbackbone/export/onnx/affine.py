"""What a chain does to its convolution's sums: bias and norm as one factor and one sum a channel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx

from .chains import Chain, Scope


class Affine(NamedTuple):
    """What follows a convolution's sum: gain * sum + shift."""

    gain: np.ndarray  # (C,), or (L, C) with one row of each iteration
    shift: np.ndarray  # the same
    rows: tuple[onnx.NodeProto, ...]  # what takes the iteration's row; none for (C,)


def affine_of(chain: Chain, scope: Scope) -> Affine:
    """Bias and norm of a chain in one; its norm's mean and variance must be constants."""
    if chain.scaling is not None:
        factor = next(name for name in chain.scaling.input if name != chain.weight)
        gain, rows = _table(factor, scope)
        return Affine(gain, _table(chain.conv.input[2], scope)[0], rows)
    channels = len(scope.constants[chain.weight])
    bias = scope.constants[chain.conv.input[2]] if len(chain.conv.input) > 2 else np.zeros(channels)
    if chain.norm is None:
        return Affine(np.ones(channels), bias.astype(np.float64), ())
    scale, rows = _table(chain.norm.input[1], scope)
    shift, _ = _table(chain.norm.input[2], scope)
    if chain.norm.op_type == 'Conv':
        return Affine(scale, bias * scale + shift, rows)
    mean, variance = (scope.constants[name].astype(np.float64) for name in chain.norm.input[3:5])
    epsilon = next((a.f for a in chain.norm.attribute if a.name == 'epsilon'), 1e-5)
    gain = scale / np.sqrt(variance + epsilon)
    return Affine(gain, (bias - mean) * gain + shift, rows)


def _table(name: str, scope: Scope) -> tuple[np.ndarray, tuple[onnx.NodeProto, ...]]:
    """A constant, and the nodes that take a row of it; how the row is shaped then is left out."""
    rows: list[onnx.NodeProto] = []
    while name not in scope.constants:
        node = scope.made_by[name]
        if node.op_type == 'Gather':
            rows.insert(0, node)
        name = node.input[0]
    return scope.constants[name].astype(np.float64), tuple(rows)
