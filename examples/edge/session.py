"""An exported file in ONNX Runtime: opened, checked, fed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
from description import check_names, check_values, read_description
from images import UserError, prepare

KEY = 'iterbackbone'


class Result(NamedTuple):
    """Of one image.

    Attributes:
        values: What the network returned, by name, for this image.
        iterations: Of each block.
        macs: Executed by the backbone.
        milliseconds: In the runtime; without loading and preparing the image.
        size: (H, W) of what the network saw.
    """

    values: dict[str, np.ndarray]
    iterations: list[int]
    macs: int
    milliseconds: float
    size: tuple[int, int]


class Network:
    """An exported file.

    Args:
        path: By ``tools/export_onnx.py``.
        threads: Of one operator; 0 for all cores.

    Raises:
        UserError: the file cannot be read, is of another kind, or needs a newer ONNX Runtime.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # errors are raised, too
        if not path.is_file():
            raise UserError(f'no such file: {path}')
        try:
            self.session = ort.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
            text = self.session.get_modelmeta().custom_metadata_map.get(KEY)
        except Exception as error:  # ONNX Runtime's own types have no common base
            raise UserError(_reason(path, str(error))) from None
        if text is None:
            raise UserError(f'{path} does not describe itself: write it by tools/export_onnx.py')
        self.names = [output.name for output in self.session.get_outputs()]
        try:
            self.about: dict[str, Any] = read_description(text)
            check_names(self.about, [x.name for x in self.session.get_inputs()], self.names)
        except UserError as error:
            raise UserError(f'{path}: {error}') from None
        self.budget: dict[str, np.ndarray] = {}

    def set_budget(self, iterations: int | None, threshold: float | None) -> None:
        """Stop at ``iterations`` a stage, or once the scores add up to ``threshold``.

        Raises:
            UserError: out of range, or the file has a fixed number of iterations.
        """
        if iterations is None and threshold is None:
            return
        if self.about['fixed'] is not None:
            raise UserError(
                f'the file always runs {self.about["fixed"]} iterations: export it without --fixed '
                'to set a budget'
            )
        if iterations is not None:
            highest = max(self.about['max_iterations'])
            if not 1 <= iterations <= highest:
                raise UserError(f'--budget must be between 1 and {highest}, got {iterations}')
            stages = len(self.about['max_iterations'])
            self.budget['max_iterations'] = np.full(stages, iterations, dtype=np.int64)
        if threshold is not None:
            highest = self.about['halting_threshold']
            if not 0 < threshold <= highest:
                raise UserError(
                    f'--threshold must be above 0 and at most {highest:g}, got {threshold:g}'
                )
            self.budget['halting_threshold'] = np.array(threshold, dtype=np.float32)

    def __call__(self, image: np.ndarray) -> Result:
        """Run one image.

        Args:
            image: (H, W, 3) uint8 in RGB, of any size.

        Raises:
            UserError: it is something else, ONNX Runtime fails, as without memory, or returns
                what the task does not.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise UserError(f'image must be (H, W, 3) uint8 in RGB, got {image.shape} {image.dtype}')
        prepared = prepare(image, self.about['steps'])
        feed = np.ascontiguousarray(prepared.transpose(2, 0, 1)[None])
        started = time.perf_counter()
        try:
            outputs = self.session.run(None, {'image': feed, **self.budget})
        except Exception as error:  # ONNX Runtime's own types have no common base
            raise UserError(f'ONNX Runtime cannot run an image of {prepared.shape}: {error}') from None
        milliseconds = 1e3 * (time.perf_counter() - started)
        values = dict(zip(self.names, outputs, strict=True))
        check_values(self.about, values)
        iterations, macs = values.pop('iterations')[0].tolist(), int(values.pop('macs'))
        return Result(values, iterations, macs, milliseconds, prepared.shape[:2])


def _reason(path: Path, message: str) -> str:
    """ONNX Runtime's message in words that say what to do."""
    lower = message.lower()
    if 'opset' in lower or 'ir version' in lower or 'ir_version' in lower:
        return (
            f'{path} needs a newer ONNX Runtime than {ort.__version__}: update it, or export the file '
            f'with a lower --opset ({message})'
        )
    if 'protobuf' in lower or 'invalid_protobuf' in lower:
        return f'{path} is no ONNX file, or only a part of one: copy or export it again ({message})'
    return f'{path} cannot be used by ONNX Runtime {ort.__version__}: {message}'
