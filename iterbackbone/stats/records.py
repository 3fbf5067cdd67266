"""The iteration log: one JSON object a line, one line an image."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypedDict

SCHEMA_VERSION = 1
RECORDS, PREDICTIONS, META = 'records.jsonl', 'predictions.jsonl', 'meta.json'


class IterationRecord(TypedDict, total=False):
    """One image of one evaluation. Absent knowledge is null; NaN is never written.

    ``iterations_per_block`` is (stages * blocks,), ``iterations`` its sum per stage and
    ``total_iterations`` its sum. Over several calls (sliding windows, test-time
    augmentation) iterations and ponder cost are means and MACs are sums. MACs are those the
    backbone and the iterative heads executed; ``macs_lowest`` are the same calls' (and RoIs')
    at one iteration of each block, ``macs_full`` at all, ``macs_resnet`` those of the plain
    ResNet of the same shape. ``input_size`` is (H, W) of the first backbone call's input,
    padding included. Areas are in pixels of the original image.
    Objects marked difficult count in ``num_difficult`` only. The fields of label maps are
    those of :class:`~iterbackbone.stats.objects.LabelMapSummary` and
    :class:`~iterbackbone.stats.segmentation_score.SegmentationScore`. ``label`` and ``prediction``
    are a classified image's true and predicted class as indices, ``confidence`` is the
    prediction's score.
    """

    img_id: int | str | None
    img_path: str | None
    height: int | None
    width: int | None
    iterations_per_block: list[float]
    iterations: list[float]
    total_iterations: float
    ponder_cost: float | None
    num_calls: int
    input_size: list[int] | None
    macs: int
    macs_lowest: int
    macs_full: int
    macs_resnet: int
    num_objects: int | None
    num_difficult: int | None
    mean_object_area: float | None
    mean_relative_area: float | None
    class_names: list[str] | None
    num_classes: int | None
    boundary_fraction: float | None
    miou: float | None
    pixel_accuracy: float | None
    label: int | None
    prediction: int | None
    correct: bool | None
    confidence: float | None
    num_rois: int
    mean_roi_iterations: float | None


def to_line(record: Mapping[str, Any]) -> str:
    """One line of JSON, newline included; numbers that are not finite become null.

    Raises:
        TypeError: a value is of a type JSON has no word for.
    """
    return json.dumps(_finite(record), allow_nan=False) + '\n'


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
