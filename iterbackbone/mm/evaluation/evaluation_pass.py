"""One pass over the data: some loops evaluate a teacher and then its student, batch by batch."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch

from ...core.adaptive import AdaptiveModule
from ...core.macs import Size
from .folder import EvaluationFolder


@dataclass
class EvaluationPass:
    """What is known of a pass when it ends.

    Attributes:
        folder: Its log.
        task: Of its data samples.
        sizes: (H, W) of the last input of each module that it called.
        seconds: An image of each batch took, from the loaded data to the updated metric, without
            loading and logging; empty before the first one.
        batch_size: The largest.
    """

    folder: EvaluationFolder
    task: str | None = None
    sizes: dict[AdaptiveModule, Size] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    batch_size: int = 0
    _started: float = 0.0

    def start_batch(self) -> None:
        """Before a batch."""
        self._started = time.perf_counter()

    def stop_batch(self, images: int) -> None:
        """After a batch of so many images."""
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()  # work that is only queued has taken no time yet
        self.seconds.append((time.perf_counter() - self._started) / images)
        self.batch_size = max(self.batch_size, images)

    def time_fields(self, device: torch.device) -> dict[str, Any] | None:
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


def labels(passes: Sequence[EvaluationPass], names: Mapping[AdaptiveModule, str]) -> list[str]:
    """What tells the passes apart: ``teacher`` where one called ``teacher.backbone`` only.

    Args:
        passes: Of one evaluation.
        names: The model's iterative modules and their paths in it.

    Returns:
        The child of the model that holds all modules of a pass; empty texts where there is one
        pass, or where the children are not different.
    """
    children = [{names[module].split('.')[0] for module in each.sizes} for each in passes]
    found = [next(iter(each)) if len(each) == 1 else '' for each in children]
    return found if len(set(found)) == len(found) > 1 else [''] * len(found)


def own_metrics(metrics: Mapping[str, Any] | None, label: str) -> dict[str, Any]:
    """Those that the loop marked with the label, without the mark; all where it marked none."""
    metrics = dict(metrics or {})
    mark = f'{label}/'
    own = {key.removeprefix(mark): v for key, v in metrics.items() if key.startswith(mark)}
    return own if label and own else metrics
