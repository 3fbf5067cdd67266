"""Annotated boxes of one image, and how far those behind a pipeline lie from them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

AT_ONCE = 16  # boxes that are compared with all annotated ones


class Annotated(NamedTuple):
    """Boxes (n, 4), xyxy, and labels (n,), -1 where there is none."""

    boxes: np.ndarray
    labels: np.ndarray


def annotated_in(info: dict[str, Any]) -> Annotated | None:
    """The annotated boxes of a data info; None where it has none of this kind."""
    instances = info.get('instances')
    if not isinstance(instances, list) or not all('bbox' in item for item in instances):
        return None
    boxes = np.array([item['bbox'] for item in instances], dtype=np.float64)
    if boxes.size != 4 * len(instances):
        return None
    labels = np.array([item.get('bbox_label', -1) for item in instances], dtype=np.int64)
    # As mmdet packs them: those to find, then the ignored ones.
    order = np.argsort([bool(item.get('ignore_flag')) for item in instances], kind='stable')
    return Annotated(boxes.reshape(-1, 4)[order], labels[order])


def largest_distance(
    packed: Annotated, raw: Annotated, size: tuple[int, int] | None, tolerance: float
) -> float:
    """The largest distance of a box to the nearest annotated one of its label, in pixels.

    Boxes in the order of the annotations need one look each.

    Args:
        packed: The boxes, at least one.
        raw: The annotated ones.
        size: (width, height) of the image, where it is known, at whose edge they may have been cut.
        tolerance: The result is infinite above it.
    """
    if not len(raw.boxes):
        return np.inf
    clipped = raw.boxes if size is None else np.clip(raw.boxes, 0, np.tile(size, 2))
    if len(packed.boxes) == len(raw.boxes):
        in_order = _distances(packed.boxes, packed.labels, raw.boxes, clipped, raw.labels).max()
        if in_order <= tolerance:
            return float(in_order)
    error = 0.0
    for start in range(0, len(packed.boxes), AT_ONCE):  # in a wrong frame the first ones tell
        boxes, labels = (of[start : start + AT_ONCE, None] for of in packed)
        nearest = _distances(boxes, labels, raw.boxes, clipped, raw.labels).min(axis=1)
        error = max(error, float(nearest.max()))
        if error > tolerance:
            return np.inf
    return error


def _distances(
    boxes: np.ndarray, labels: np.ndarray, raw: np.ndarray, clipped: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """Of boxes to annotated ones, or these cut at the image's edge; infinite between two labels."""
    distances = np.minimum(*(np.abs(boxes - each).max(axis=-1) for each in (raw, clipped)))
    return np.where((labels != known) & (labels >= 0) & (known >= 0), np.inf, distances)
