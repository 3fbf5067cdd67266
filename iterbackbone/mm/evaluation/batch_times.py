"""How long the batches of one pass over the data took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch


@dataclass
class BatchTimes:
    """A stopwatch.

    Attributes:
        seconds: An image of each batch took.
        batch_size: The largest.
    """

    seconds: list[float] = field(default_factory=list)
    batch_size: int = 0
    _started: float = 0.0

    def start(self) -> None:
        """Before a batch."""
        self._started = time.perf_counter()

    def stop(self, images: int) -> None:
        """After a batch of so many images."""
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()  # work that is only queued has taken no time yet
        self.seconds.append((time.perf_counter() - self._started) / images)
        self.batch_size = max(self.batch_size, images)

    def fields(self, device: torch.device) -> dict[str, Any] | None:
        """``time`` of ``meta.json``, the median over the batches of this rank; None without any."""
        if not self.seconds:
            return None
        name = torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type
        return {
            'milliseconds_per_image': round(1000 * median(self.seconds), 4),
            'batch_size': self.batch_size,
            'device': name,
            'threads': torch.get_num_threads(),
        }
