"""How well a detector did on one image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..log.schema import BoxList
from .run_scores import Array

IOU_THRESHOLD = 0.5
IGNORED, WRONG, RIGHT = -1, 0, 1


class Boxes(NamedTuple):
    """Boxes of one image."""

    boxes: Array  # (n, 4) as (xmin, ymin, xmax, ymax) in pixels
    labels: NDArray[np.int64]  # (n,) class indices
    scores: Array  # (n,); ones where there are none

    @classmethod
    def parse(cls, name: str, found: BoxList) -> Boxes:
        """From a line of ``predictions.jsonl``; ValueError unless each has a label and a score."""
        boxes = np.array(found['boxes'], dtype=np.float64).reshape(-1, 4)
        labels = np.array(found['labels'], dtype=np.int64)
        scores = np.array(found.get('scores', np.ones(len(boxes))), dtype=np.float64)
        if not len(boxes) == len(labels) == len(scores):
            raise ValueError(
                f'{name} must have a label and a score for each of its {len(boxes)} boxes, '
                f'got {len(labels)} and {len(scores)}'
            )
        return cls(boxes, labels, scores)


def image_ap50(
    predicted: Boxes, true: Boxes, difficult: Boxes | None = None, crowds: bool = False
) -> float | None:
    """Average precision of one image at IoU 0.5, the detections of all classes in one ranking.

    A detection is right where it has the label of an object that overlaps it by an
    intersection over union of at least 0.5 and that no higher score has taken (its best
    overlap counts); those on "difficult" objects are left out, as in PASCAL VOC. The area
    under the precision-recall curve is taken at all points, with precision made
    non-increasing (Everingham et al. 2015, section 4.2). Unlike a data set's mAP it also
    counts detections of classes the image does not show. With ``crowds`` the difficult boxes are
    COCO's: of the detections that are not right those are left out of which half the area lies in a
    crowd of their label. None for an image without objects to find.
    """
    if not len(true.boxes):
        return None
    order = np.argsort(-predicted.scores, kind='stable')
    outcomes = match(predicted, true, difficult, crowds=crowds)[0, order]
    right = outcomes[outcomes != IGNORED] == RIGHT
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[right].sum() / len(true.boxes))


def match(
    predicted: Boxes,
    true: Boxes,
    difficult: Boxes | None = None,
    thresholds: Sequence[float] = (IOU_THRESHOLD,),
    crowds: bool = False,
) -> NDArray[np.int8]:
    """Which detections of one image are right by :func:`image_ap50`'s rule, at each threshold.

    (thresholds, detections) of ``RIGHT``, ``WRONG`` and ``IGNORED``, detections as given.
    """
    if crowds and difficult is not None and len(difficult.boxes):
        outcomes = match(predicted, true, None, thresholds)
        shared, areas = _intersection(predicted.boxes, difficult.boxes), _areas(predicted.boxes)
        inside = _of_one_label(_share(shared, areas[:, None]), predicted, difficult.labels)
        outcomes[(outcomes != RIGHT) & (inside.max(axis=1) >= np.array(thresholds)[:, None])] = IGNORED
        return outcomes
    targets = [true] if difficult is None else [true, difficult]
    labels = np.concatenate([t.labels for t in targets])
    outcomes = np.full((len(thresholds), len(predicted.boxes)), WRONG, dtype=np.int8)
    if not outcomes.size or not len(labels):
        return outcomes
    order = np.argsort(-predicted.scores, kind='stable')
    overlaps = iou(predicted.boxes, np.concatenate([t.boxes for t in targets]))
    overlaps = _of_one_label(overlaps, predicted, labels)[order]
    best, overlap = overlaps.argmax(axis=1), overlaps.max(axis=1)
    for row, threshold in zip(outcomes, thresholds, strict=True):
        hits = np.flatnonzero(overlap >= threshold)
        taken, first = np.unique(best[hits], return_index=True)
        row[order[hits[first[taken < len(true.boxes)]]]] = RIGHT
        row[order[hits[best[hits] >= len(true.boxes)]]] = IGNORED
    return outcomes


def iou(first: Array, second: Array) -> Array:
    """Intersection over union of boxes (n, 4) and (m, 4), shape (n, m)."""
    shared = _intersection(first, second)
    return _share(shared, _areas(first)[:, None] + _areas(second)[None] - shared)


def _share(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _intersection(first: Array, second: Array) -> Array:
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return _areas(np.concatenate([top_left, bottom_right], axis=-1))


def _areas(boxes: Array) -> Array:
    return np.clip(boxes[..., 2:] - boxes[..., :2], 0.0, None).prod(axis=-1)


def _of_one_label(overlaps: Array, predicted: Boxes, labels: NDArray[np.int64]) -> Array:
    """(n, m) overlaps of detections and boxes with those of two labels zero."""
    return np.where(predicted.labels[:, None] == labels[None], overlaps, 0.0)
