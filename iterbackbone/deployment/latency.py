"""How long an exported file takes at few, usual and all iterations."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import onnxruntime as ort

OUT_OF_REACH = 2.0  # a threshold no sum of scores is asked to reach: all iterations run


class Latency(NamedTuple):
    """Of one image, in milliseconds.

    Attributes:
        median, low, high: And the quartiles.
        iterations: Mean over the blocks.
    """

    median: float
    low: float
    high: float
    iterations: float


def open_session(model: bytes | str, threads: int = 1) -> ort.InferenceSession:
    """ONNX Runtime on the CPU, without its remark that inputs with defaults are no constants."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=['CPUExecutionProvider'])


def measure(
    session: ort.InferenceSession, feeds: Mapping[str, Mapping[str, np.ndarray]], rounds: int
) -> dict[str, Latency]:
    """Time each of ``feeds`` once a round, in a new order every round.

    Args:
        session: Of an exported file.
        feeds: Inputs by name of the setting.
        rounds: At least 1, after one that is not counted.
    """
    names = [output.name for output in session.get_outputs()]
    seconds: dict[str, list[float]] = {name: [] for name in feeds}
    iterations: dict[str, float] = {}
    order = np.random.default_rng(0)
    for done in range(rounds + 1):
        for name in order.permutation(list(feeds)):
            start = time.perf_counter()
            outputs = session.run(None, dict(feeds[name]))
            if done:
                seconds[name].append(time.perf_counter() - start)
            iterations[name] = float(np.mean(outputs[names.index('iterations')]))
    return {
        name: Latency(*np.quantile(np.array(s) * 1e3, (0.5, 0.25, 0.75)), iterations[name])
        for name, s in seconds.items()
    }


def settings(
    session: ort.InferenceSession, image: np.ndarray, limits: list[int]
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
