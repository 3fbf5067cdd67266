"""How long an image takes in an evaluation."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import torch


class EvaluationTime:
    """Time of each batch from the loaded data to the updated metric, without loading and logging."""

    def __init__(self) -> None:
        self._started = 0.0
        self._seconds: list[float] = []  # an image, of each batch
        self._batch_size = 0

    def start(self) -> None:
        """Before a batch."""
        self._started = time.perf_counter()

    def stop(self, images: int) -> None:
        """After a batch of so many images."""
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()  # work that is only queued has taken no time yet
        self._seconds.append((time.perf_counter() - self._started) / images)
        self._batch_size = max(self._batch_size, images)

    def describe(self, device: torch.device) -> dict[str, Any] | None:
        """``milliseconds_per_image``, the median over the batches of this rank; None without any.

        With it stand ``batch_size``, the largest, ``device`` and ``threads``, those of torch.
        """
        if not self._seconds:
            return None
        name = torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type
        return {
            'milliseconds_per_image': round(1000 * median(self._seconds), 4),
            'batch_size': self._batch_size,
            'device': name,
            'threads': torch.get_num_threads(),
        }
