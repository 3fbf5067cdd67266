"""Exported files in ONNX Runtime or OpenVINO, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

RUNTIMES = ('onnxruntime', 'openvino')
OUT_OF_REACH = 1e6  # a threshold that no sum of scores reaches: all iterations run
Feed = Mapping[str, np.ndarray]
Session = Any  # an onnxruntime.InferenceSession, or an OpenVinoSession with the same calls


def open_session(model: bytes | str, threads: int = 1, runtime: str = 'onnxruntime') -> Session:
    """A session of a file, or its content, that prints nothing; ``threads`` are of one operator.

    ValueError where the runtime cannot use it.
    """
    if runtime == 'openvino':
        if find_spec('openvino') is None:
            raise ValueError('no openvino here: pip install openvino')
        from .openvino_session import OpenVinoSession  # an extra of its own

        return OpenVinoSession(model, threads)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(model, options, providers=['CPUExecutionProvider'])
    except Exception as error:  # ONNX Runtime's own types have no common base
        raise ValueError(f'ONNX Runtime {ort.__version__} cannot use the file: {error}') from error


def run(session: Session, feed: Feed) -> dict[str, np.ndarray]:
    """The outputs by name for a feed with an ``image``; ValueError where it fails."""
    names = [output.name for output in session.get_outputs()]
    try:
        return dict(zip(names, session.run(names, dict(feed)), strict=True))
    except Exception as error:
        shape = feed['image'].shape
        raise ValueError(f'the runtime cannot run an image of {shape}: {error}') from error


def settings(session: Session, image: np.ndarray, limits: Sequence[int]) -> dict[str, Feed]:
    """Feeds at the lowest, the image's own and the highest iterations; its own only if fixed."""
    if not session.get_overridable_initializers():
        return {'fixed': {'image': image}}
    return {
        'lowest': {'image': image, 'max_iterations': np.ones(len(limits), dtype=np.int64)},
        'own': {'image': image},
        'highest': {'image': image, 'halting_threshold': np.array(OUT_OF_REACH, dtype=np.float32)},
    }


def int8_overflows() -> bool:
    """Whether 8-bit products overflow in ONNX Runtime here, as on x86 processors without VNNI."""
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 20]> sum (uint8[1,4] image) => (int32[1,1] y) '
        '<int8[4,1] w = {127, 127, 127, 127}> { y = MatMulInteger(image, w) }'
    )
    image = np.full((1, 4), 255, dtype=np.uint8)
    return run(open_session(model.SerializeToString()), {'image': image})['y'].item() != 4 * 255 * 127
