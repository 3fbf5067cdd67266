"""From a module to a checked ONNX model whose loops own their weights."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import nn

from ... import __version__
from ...files import whole_file

OPSETS = (18, 23)  # of the exporter; lowest and highest
SAME_SIZE = ('BatchNormalization', 'Relu', 'Clip')


def export_graph(
    module: nn.Module,
    inputs: Mapping[str, torch.Tensor],
    dynamic: Mapping[str, Mapping[int, str]],
    outputs: Sequence[str],
    opset: int,
) -> onnx.ModelProto:
    """Trace ``module`` and translate it.

    Args:
        module: In evaluation mode, on the CPU.
        inputs: An example of each argument of its forward, by the argument's name.
        dynamic: Dimensions (index: name) of an input that may vary.
        outputs: Names of what it returns, flattened.
        opset: ONNX operator set, within ``OPSETS``.

    Raises:
        ValueError: ``opset`` is not supported.
    """
    if not OPSETS[0] <= opset <= OPSETS[1]:
        raise ValueError(f'opset must be between {OPSETS[0]} and {OPSETS[1]}, got {opset}')
    shapes = {name: dict(dynamic.get(name, {})) or None for name in inputs}
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module,
            kwargs=dict(inputs),
            dynamo=True,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=shapes,
            opset_version=opset,
        )
    assert program is not None
    model = program.model
    _read_sizes_last(model.graph)
    ClearMetadataAndDocStringPass()(model)  # notes of the source: as much as small networks' weights
    _move_weights_into_loops(model.graph)
    model.producer_name, model.producer_version = 'iterbackbone', __version__
    return onnx_ir.to_proto(model)


def _read_sizes_last(graph: onnx_ir.Graph) -> None:
    """Let sizes be read behind norm and activation: they fuse only with what nothing else reads."""
    for node in graph:
        while node.op_type == 'Shape' and (behind := _same_size(node.inputs[0], graph)):
            node.replace_input_with(0, behind)
    graph.sort()


def _same_size(value: onnx_ir.Value | None, graph: onnx_ir.Graph) -> onnx_ir.Value | None:
    """The norm or activation of a value, in the same graph."""
    for node, place in value.uses() if value else ():
        if place == 0 and node.op_type in SAME_SIZE and node.graph is graph:
            return node.outputs[0]
    return None


@contextlib.contextmanager
def _quiet() -> Any:
    """Without the exporter's progress and its deprecation warnings about itself."""
    loggers = [logging.getLogger(name) for name in ('onnxscript', 'onnx_ir')]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter('ignore')
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _move_weights_into_loops(graph: onnx_ir.Graph) -> None:
    """Let each loop's body hold the weights that only it uses.

    Runtimes lay out weights once for those a graph itself holds: ONNX Runtime's convolutions take
    up to a third less time.
    """
    for value in list(graph.initializers.values()):
        owners = {node.graph for node, _ in value.uses()}
        owner = owners.pop() if len(owners) == 1 else None
        if owner not in (None, graph) and not value.is_graph_output():
            graph.initializers.pop(str(value.name))
            owner.register_initializer(value)


def set_defaults(model: onnx.ModelProto, defaults: Mapping[str, np.ndarray]) -> None:
    """Give inputs of ``model`` default values, so that callers may leave them out."""
    for name, value in defaults.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), name))


def describe(model: onnx.ModelProto, description: Mapping[str, Any]) -> None:
    """Keep plain data in the file, as JSON under the key ``iterbackbone``."""
    onnx.helper.set_model_props(model, {'iterbackbone': json.dumps(description)})


def save(model: onnx.ModelProto, path: Path) -> None:
    """Check ``model`` and write it; a file that is there is replaced by a whole one or not at all."""
    onnx.checker.check_model(model, full_check=True)
    with whole_file(path) as file:
        file.write(model.SerializeToString())
