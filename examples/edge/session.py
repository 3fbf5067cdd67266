"""An exported file: opened, checked, fed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from description import check_names, check_values, read_description
from images import UserError, prepare
from runtimes import opened

OUT_OF_REACH = 1e6  # a threshold that no sum of scores reaches: all iterations run


class Result(NamedTuple):
    """Of one image.

    Attributes:
        values: What the network returned, by name, for this image.
        iterations: Of each block.
        macs: Executed by the backbone.
        milliseconds: In the runtime, warm; without loading and preparing the image.
        size: (H, W) of what the network saw.
        full_milliseconds: At all iterations, where that was run too; else 0.
    """

    values: dict[str, np.ndarray]
    iterations: list[int]
    macs: int
    milliseconds: float
    size: tuple[int, int]
    full_milliseconds: float = 0.0


class Network:
    """An exported file.

    Args:
        path: By ``tools/export_onnx.py``.
        threads: Of one operator; 0 for all cores.
        runtime: ``'onnxruntime'`` or ``'openvino'``; the first that is installed by default.

    Raises:
        UserError: the file cannot be read, is of another kind, or needs a newer runtime.
    """

    def __init__(self, path: Path, threads: int = 1, runtime: str | None = None) -> None:
        if not path.is_file():
            raise UserError(f'no such file: {path}')
        self.session = opened(path, threads, runtime)
        if self.session.description is None:
            raise UserError(f'{path} does not describe itself: write it by tools/export_onnx.py')
        try:
            self.about: dict[str, Any] = read_description(self.session.description)
            check_names(self.about, self.session.inputs, self.session.outputs)
        except UserError as error:
            raise UserError(f'{path}: {error}') from None
        self.budget: dict[str, np.ndarray] = {}
        self.warm = False

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

    def __call__(self, image: np.ndarray, full: bool = False) -> Result:
        """Run one image; the first one twice, since a first run also plans and takes memory.

        Args:
            image: (H, W, 3) uint8 in RGB, of any size.
            full: At all iterations, whatever the budget.

        Raises:
            UserError: it is something else, the runtime fails, as without memory, or returns
                what the task does not.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise UserError(f'image must be (H, W, 3) uint8 in RGB, got {image.shape} {image.dtype}')
        prepared = prepare(image, self.about['steps'])
        feed = np.ascontiguousarray(prepared.transpose(2, 0, 1)[None])
        budget = {'halting_threshold': np.array(OUT_OF_REACH, np.float32)} if full else self.budget
        try:
            if not self.warm:
                self.session.run({'image': feed, **budget})
                self.warm = True
            started = time.perf_counter()
            outputs = self.session.run({'image': feed, **budget})
        except Exception as error:  # the runtimes' own types have no common base
            raise UserError(f'the runtime cannot run an image of {prepared.shape}: {error}') from None
        milliseconds = 1e3 * (time.perf_counter() - started)
        values = dict(zip(self.session.outputs, outputs, strict=True))
        check_values(self.about, values)
        iterations, macs = values.pop('iterations')[0].tolist(), int(values.pop('macs'))
        return Result(values, iterations, macs, milliseconds, prepared.shape[:2])
