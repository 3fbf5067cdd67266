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


@dataclass
class EvaluationPass:
    """What is known of a pass when it ends.

    Attributes:
        folder: Its log.
        task: Of its data samples.
        sizes: (H, W) of the last input of each module that it called.
        begun: Whether a batch was written.
        time: That it takes.
    """

    folder: EvaluationFolder
    task: str | None = None
    sizes: dict[AdaptiveModule, Size] = field(default_factory=dict)
    begun: bool = False
    time: EvaluationTime = field(default_factory=EvaluationTime)


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
