"""What one image's data sample says, whatever the task."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from .classification_record import class_fields, identity_fields, is_classification, picture
from .detection_record import annotations_are_resized, is_detection, object_fields, prediction_fields
from .evaluation_meta import class_names
from .sampled_indices import Index
from .segmentation_record import is_segmentation, label_map_fields, label_maps


class SampleRecord(NamedTuple):
    """One image's part of the log, without what it cost.

    Attributes:
        task: ``'detection'``, ``'segmentation'``, ``'classification'``, or None.
        record: Its fields of :class:`~iterbackbone.stats.records.IterationRecord`.
        prediction: Its line of ``predictions.jsonl``, without the names of ``pngs``.
        pngs: Its files, see :class:`~iterbackbone.mm.png_files.PngFiles`.
    """

    task: str | None
    record: dict[str, Any]
    prediction: dict[str, Any]
    pngs: dict[str, np.ndarray]


def sample_record(
    sample: Any, dataset: Any, model: nn.Module, index: Index | None = None
) -> SampleRecord:
    """Describe a data sample behind the model's prediction.

    Args:
        sample: Of mmdet, mmseg or mmpretrain.
        dataset: That it comes from.
        model: That predicted, unwrapped.
        index: Place in the data set, None where it is unknown.
    """
    task, classes = None, class_names(dataset)
    resized = annotations_are_resized(dataset)
    record = _identity(sample, index)
    found: dict[str, Any] = {}
    pngs: dict[str, np.ndarray] = {}
    if is_segmentation(sample):
        task, pngs = 'segmentation', label_maps(sample)
        record |= label_map_fields(pngs, classes)
    else:
        record |= object_fields(sample, classes, resized)
    if is_detection(sample):
        task, found = 'detection', prediction_fields(sample, resized)
    if is_classification(sample, model):
        task, image = 'classification', picture(sample, dataset, index)
        pngs = {} if image is None else {'picture': image}
        record |= class_fields(sample, classes) | identity_fields(sample, image)
    prediction = {key: record[key] for key in ('img_id', 'img_path')}
    return SampleRecord(task, record, {**prediction, **found}, pngs)


def _identity(sample: Any, index: Index | None) -> dict[str, Any]:
    info = sample.metainfo
    height, width = info.get('ori_shape', (None, None))
    path = info.get('img_path')
    # mmseg and mmpretrain number no images: the file's name then, without its suffix, or, of an
    # image that is no file, its place in the data set: `sample_idx` is that in a wrapped one.
    name = Path(path).stem if path else index
    return {'img_id': info.get('img_id', name), 'img_path': path, 'height': height, 'width': width}
