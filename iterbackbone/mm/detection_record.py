"""Objects and predictions of one image, from mmdet's data sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..stats.objects import summarise_boxes

UNLABELLED = -1


def is_detection(sample: Any) -> bool:
    """Whether a data sample holds predicted boxes."""
    return 'pred_instances' in sample and 'bboxes' in sample.pred_instances


def annotations_are_resized(dataset: Any) -> bool:
    """Whether the dataset's pipeline loads annotations before it resizes the image.

    Boxes are then in the resized image's frame. mmdet's test pipelines load them
    afterwards, so that they stay in the original one.
    """
    while not hasattr(dataset, 'pipeline'):
        inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
        if inner[0] is None:
            return False
        dataset = inner[0]
    names = [type(t).__name__ for t in getattr(dataset.pipeline, 'transforms', [])]
    loads = [i for i, name in enumerate(names) if 'LoadAnnotations' in name]
    resizes = [i for i, name in enumerate(names) if 'Resize' in name]
    return bool(loads and resizes and loads[0] < resizes[0])


def object_fields(sample: Any, classes: tuple[str, ...], resized: bool) -> dict[str, Any]:
    """The object fields of :class:`~iterbackbone.stats.records.IterationRecord`.

    Args:
        sample: mmdet's ``DetDataSample``; "difficult" objects sit in ``ignored_instances``.
        classes: Names by label.
        resized: See :func:`annotations_are_resized`.
    """
    if not _annotated(sample, 'gt_instances'):
        names = ('num_objects', 'num_difficult', 'mean_object_area', 'mean_relative_area')
        return {**dict.fromkeys(names), 'class_names': None}
    height, width = sample.ori_shape
    boxes = _true_boxes(sample.gt_instances, sample, resized)
    summary = summarise_boxes(boxes, height, width)
    labels = sorted(set(_labels(sample.gt_instances)) - {UNLABELLED})
    return {
        'num_objects': summary.num_objects,
        'num_difficult': _count(sample, 'ignored_instances'),
        'mean_object_area': summary.mean_object_area,
        'mean_relative_area': summary.mean_relative_area,
        'class_names': [classes[n] if n < len(classes) else str(n) for n in labels],
    }


def prediction_fields(sample: Any, resized: bool) -> dict[str, Any]:
    """True and predicted boxes (xyxy, pixels of the original image), labels and scores."""
    predicted = sample.pred_instances
    fields: dict[str, Any] = {
        'predicted': {
            'boxes': predicted.bboxes.double().cpu().numpy().round(2).tolist(),
            'labels': predicted.labels.tolist(),
            'scores': predicted.scores.double().cpu().numpy().round(5).tolist(),
        }
    }
    for name, key in (('true', 'gt_instances'), ('difficult', 'ignored_instances')):
        if _annotated(sample, key):
            boxes = _true_boxes(sample.get(key), sample, resized)
            fields[name] = {'boxes': boxes.round(2).tolist(), 'labels': _labels(sample.get(key))}
    return fields


def _annotated(sample: Any, key: str) -> bool:
    """Whether boxes were loaded: mmdet packs empty instances where there were none to load."""
    return key in sample and 'bboxes' in sample.get(key)


def _count(sample: Any, key: str) -> int:
    return len(sample.get(key).bboxes) if _annotated(sample, key) else 0


def _labels(instances: Any) -> list[int]:
    """The classes' indices; data sets may leave them out, of ignored regions most of all."""
    return instances.labels.tolist() if 'labels' in instances else [UNLABELLED] * len(instances)


def _true_boxes(instances: Any, sample: Any, resized: bool) -> np.ndarray:
    boxes = getattr(instances.bboxes, 'tensor', instances.bboxes)
    array = np.asarray(boxes.cpu(), dtype=np.float64)
    return array / np.tile(sample.scale_factor, 2) if resized and len(array) else array
