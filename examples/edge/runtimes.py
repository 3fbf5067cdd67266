"""An exported file in ONNX Runtime or OpenVINO, on the CPU: the one that is installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from images import UserError

KEY = 'iterbackbone'  # of the description
OPTIONAL = ('max_iterations', 'halting_threshold')


class OnnxRuntime:
    """ONNX Runtime.

    Attributes:
        inputs, outputs: Names.
        description: JSON, or None where the file has none.
    """

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # errors are raised, too
        self.session = ort.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
        self.description = self.session.get_modelmeta().custom_metadata_map.get(KEY)
        self.inputs = [x.name for x in self.session.get_inputs()]
        self.outputs = [output.name for output in self.session.get_outputs()]

    def run(self, feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """All outputs."""
        return self.session.run(None, feed)


class OpenVino:
    """OpenVINO in float32: by itself it takes bfloat16 where it can, which moves iterations.

    Attributes:
        inputs, outputs, description: As of :class:`OnnxRuntime`.
    """

    def __init__(self, path: Path, threads: int) -> None:
        import openvino as ov

        core = ov.Core()
        graph = core.read_model(path)
        place = ['framework', KEY]
        known = graph.has_rt_info(place)
        self.description = str(graph.get_rt_info(place).value) if known else None
        self.defaults: dict[str, Any] = {}
        for node in graph.get_ops():  # inputs with defaults are read as constants
            name = node.get_friendly_name()
            if node.get_type_name() == 'Constant' and name in OPTIONAL:
                value = self.defaults[name] = np.array(node.data)
                parameter = ov.opset8.parameter(value.shape, value.dtype, name=name)
                parameter.output(0).set_names({name})
                for reader in node.output(0).get_target_inputs():
                    reader.replace_source_output(parameter.output(0))
                graph.add_parameters([parameter])
        settings = {'INFERENCE_PRECISION_HINT': 'f32', 'INFERENCE_NUM_THREADS': threads}
        self.compiled = core.compile_model(graph, 'CPU', settings)
        self.inputs = [x.any_name for x in self.compiled.inputs]
        self.outputs = [output.any_name for output in self.compiled.outputs]

    def run(self, feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """All outputs."""
        values = self.compiled({**self.defaults, **feed})
        return [values[name] for name in self.outputs]


RUNTIMES = {'onnxruntime': OnnxRuntime, 'openvino': OpenVino}


def opened(path: Path, threads: int, name: str | None) -> OnnxRuntime | OpenVino:
    """A file in the runtime of this name, or in the first that is installed.

    Raises:
        UserError: there is none, or it cannot use the file.
    """
    installed = [each for each in RUNTIMES if find_spec(each)]
    if not installed or name not in (None, *installed):
        raise UserError(f'no {name or "runtime"} here: pip install {name or " or ".join(RUNTIMES)}')
    try:
        return RUNTIMES[name or installed[0]](path, threads)
    except Exception as error:  # their own types have no common base
        raise UserError(_reason(path, name or installed[0], str(error))) from None


def _reason(path: Path, runtime: str, message: str) -> str:
    """A runtime's message in words that say what to do."""
    lower = message.replace(str(path), '').lower()  # a name may hold such words, too
    if 'opset' in lower or 'ir version' in lower or 'ir_version' in lower:
        return (
            f'{path} needs a newer {runtime} than this: update it, or export the file with a lower '
            f'--opset ({message})'
        )
    if runtime == 'openvino' and 'qlinearconv' in lower:
        return f'{path} is in int8 with loops, which {runtime} cannot read: --runtime onnxruntime'
    if any(sign in lower for sign in ('protobuf', "can't be parsed", 'unable to read')):
        return f'{path} is no ONNX file, or only a part of one: copy or export it again ({message})'
    return f'{path} cannot be used by {runtime}: {message}'
