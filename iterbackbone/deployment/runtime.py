"""Exported files in ONNX Runtime, on the CPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime as ort

OUT_OF_REACH = 1e6  # a threshold that no sum of scores reaches: all iterations run


def open_session(model: bytes | str, threads: int = 1) -> ort.InferenceSession:
    """A session without ONNX Runtime's remark that inputs with defaults are no constants.

    Args:
        model: A file's content, or its path.
        threads: Of one operator.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=['CPUExecutionProvider'])


def settings(
    session: ort.InferenceSession, image: np.ndarray, limits: Sequence[int]
) -> dict[str, dict[str, np.ndarray]]:
    """Feeds at the lowest, the image's own and the highest iterations; its own only if fixed."""
    if not session.get_overridable_initializers():
        return {'fixed': {'image': image}}
    lowest = {'max_iterations': np.ones(len(limits), dtype=np.int64)}
    highest = {'halting_threshold': np.array(OUT_OF_REACH, dtype=np.float32)}
    return {
        'lowest': {'image': image, **lowest},
        'own': {'image': image},
        'highest': {'image': image, **highest},
    }
