"""Forward times of networks, in rounds of one run each: the ratios of a round share the drift."""

from __future__ import annotations

import os
import platform
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch

Run = Callable[[], object]
Key = TypeVar('Key')


def machine() -> str:
    """What this runs on."""
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.is_file() else []
    models = (line.split(':')[1].strip() for line in lines if line.startswith('model name'))
    return f'{next(models, platform.processor())}, {os.cpu_count()} cores, torch {torch.__version__}'


def checked_device(device: str) -> str:
    """``device`` itself; ValueError if torch cannot compute on it."""
    try:
        torch.ones(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise ValueError(f'--device must be one that torch can use, got {device!r}: {first}') from None
    return device


def forward_seconds(runs: Mapping[Key, Run], rounds: int, threads: int = 1) -> dict[Key, list[float]]:
    """Seconds that each run takes, once a round in random order, after a warm-up; 2 rounds at least."""
    if rounds < 2:
        raise ValueError(f'rounds must be at least 2, got {rounds}')
    order, shuffled, before = list(runs), random.Random(0), torch.get_num_threads()
    seconds: dict[Key, list[float]] = {key: [] for key in runs}
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            for run in runs.values():
                run()
            for _ in range(rounds):
                shuffled.shuffle(order)
                for key in order:
                    started = time.perf_counter()
                    runs[key]()
                    seconds[key].append(time.perf_counter() - started)
    finally:
        torch.set_num_threads(before)
    return seconds
