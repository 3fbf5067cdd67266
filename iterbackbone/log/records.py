"""The iteration log: one JSON object a line, one line an image."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, TypedDict

from .limits import Area, Count, Identifier, Iterations, Macs, Name, Pixels, Share, Stages, Within

SCHEMA_VERSION = 2  # 2: `modules`; where a model has one backbone, all other fields are those of 1
READABLE_VERSIONS = (1, 2)
RECORDS, PREDICTIONS, META = 'records.jsonl', 'predictions.jsonl', 'meta.json'


class ModuleRecord(TypedDict, total=False):
    """What one iterative module did for one image.

    ``iterations_per_block`` is (stages * blocks,), ``iterations`` its sum per stage and
    ``total_iterations`` its sum. Over several calls (sliding windows, test-time
    augmentation) iterations and ponder cost are means and MACs are sums. ``macs_lowest`` are
    the same calls' (and RoIs') at one iteration of each block, ``macs_full`` at all, ``macs_resnet``
    those of the plain ResNet of the same shape. ``input_size`` is (H, W) of the first call's
    input, padding included. A RoI layer has MACs and the last two fields only.
    """

    iterations_per_block: Annotated[list[Iterations], Within(0, 1000)]
    iterations: Stages
    total_iterations: Iterations
    ponder_cost: Iterations | None
    num_calls: Count
    input_size: Annotated[list[Pixels], Within(2, 2)] | None
    macs: Macs
    macs_lowest: Macs
    macs_full: Macs
    macs_resnet: Macs
    num_rois: Count
    mean_roi_iterations: Iterations | None


class IterationRecord(ModuleRecord, total=False):
    """One image of one evaluation. Absent knowledge is null; NaN is never written.

    The fields of :class:`ModuleRecord` are those of the backbone, MACs those of the
    iterative heads, too. Of several backbones iterations are one list, in the order of
    ``modules``; totals, ponder cost and MACs are sums; ``num_calls`` is the largest. ``modules``
    holds what each did, by its path in the model; it is there only where the model called
    several backbones or several RoI layers, and then ``mean_roi_iterations`` of several is null.

    Areas are in pixels of the original image.
    Objects marked difficult count in ``num_difficult`` only. The fields of label maps are
    those of :class:`~iterbackbone.stats.objects.LabelMapSummary` and
    :class:`~iterbackbone.stats.segmentation_score.SegmentationScore`. ``label`` and ``prediction``
    are a classified image's true and predicted class as indices, ``confidence`` is the
    prediction's score.
    """

    img_id: Identifier | str | None
    img_path: str | None
    height: Pixels | None
    width: Pixels | None
    num_objects: Count | None
    num_difficult: Count | None
    mean_object_area: Area | None
    mean_relative_area: Area | None
    class_names: Annotated[list[Name], Within(0, 10**4)] | None
    num_classes: Count | None
    boundary_fraction: Share | None
    miou: Share | None
    pixel_accuracy: Share | None
    label: Count | None
    prediction: Count | None
    correct: bool | None
    confidence: float | None
    modules: dict[str, ModuleRecord]


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
