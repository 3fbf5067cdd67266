"""Annotated boxes of one image, and how far those behind a pipeline lie from them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import KDTree


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
    return Annotated(boxes.reshape(-1, 4), labels)


def largest_distance(
    packed: Annotated, raw: Annotated, size: tuple[int, int] | None, tolerance: float
) -> float:
    """The largest distance of a box to the nearest annotated one of its label, in pixels.

    Labels count where all boxes have one.

    Args:
        packed: The boxes, at least one.
        raw: The annotated ones.
        size: (width, height) of the image, where it is known, at whose edge they may have been cut.
        tolerance: The result is infinite from there on.
    """
    clipped = raw.boxes if size is None else np.clip(raw.boxes, 0, np.tile(size, 2))
    labelled = min(packed.labels.min(), raw.labels.min(initial=0)) >= 0
    apart = (tolerance + 1) * labelled  # of two labels

    def points(boxes: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return np.nan_to_num(np.column_stack((boxes, apart * labels)))  # trees take no NaN

    known = KDTree(np.concatenate([points(boxes, raw.labels) for boxes in (raw.boxes, clipped)]))
    distances, _ = known.query(points(*packed), p=np.inf, distance_upper_bound=tolerance)
    return float(distances.max())
