"""One pass over the data: some loops evaluate a teacher and then its student, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...core.adaptive import AdaptiveModule
from ...core.macs import Size
from .batch_times import BatchTimes
from .folder import EvaluationFolder


@dataclass
class EvaluationPass:
    """What is known of a pass when it ends.

    Attributes:
        folder: Its log.
        task: Of its data samples.
        sizes: (H, W) of the last input of each module that it called.
        times: From the loaded data to the updated metric, without loading and logging.
    """

    folder: EvaluationFolder
    task: str | None = None
    sizes: dict[AdaptiveModule, Size] = field(default_factory=dict)
    times: BatchTimes = field(default_factory=BatchTimes)


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
