"""Exported files in OpenVINO, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import openvino as ov


class OpenVinoSession:
    """A file, or its content, with the calls of an ``onnxruntime.InferenceSession`` that we make.

    In float32: by itself OpenVINO takes bfloat16 where the CPU has it, which moves images to other
    iterations. ValueError where OpenVINO cannot use the file.
    """

    def __init__(self, model: bytes | str, threads: int = 1) -> None:
        core = ov.Core()
        settings = {'INFERENCE_PRECISION_HINT': 'f32', 'INFERENCE_NUM_THREADS': threads}
        try:
            graph = core.read_model(model=model)
            self.defaults = make_optional_inputs(graph)
            self.compiled = core.compile_model(graph, 'CPU', settings)
        except Exception as error:  # OpenVINO's own types have no common base
            raise ValueError(f'OpenVINO {ov.__version__} cannot use the file: {error}') from error
        self.names = [output.any_name for output in self.compiled.outputs]

    def get_outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in self.names]

    def get_overridable_initializers(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in self.defaults]

    def run(self, names: Sequence[str] | None, feed: Mapping[str, Any]) -> list[np.ndarray]:
        values = self.compiled({**self.defaults, **feed})
        return [values[name] for name in names or self.names]


def make_optional_inputs(graph: ov.Model) -> dict[str, np.ndarray]:
    """Make inputs of what OpenVINO reads as constants, the inputs with defaults, which it returns."""
    defaults = {}
    for node in graph.get_ops():
        name = node.get_friendly_name()
        if node.get_type_name() == 'Constant' and name in ('max_iterations', 'halting_threshold'):
            value = defaults[name] = np.array(node.data)
            parameter = ov.opset8.parameter(value.shape, value.dtype, name=name)
            parameter.output(0).set_names({name})
            for reader in node.output(0).get_target_inputs():
                reader.replace_source_output(parameter.output(0))
            graph.add_parameters([parameter])
    return defaults
