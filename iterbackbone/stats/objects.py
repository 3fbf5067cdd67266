"""How many objects an image has and how large they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class ObjectSummary(NamedTuple):
    """Objects of one image.

    Attributes:
        num_objects: Objects counted.
        mean_object_area: Mean area in pixels of the original image; None without objects.
        mean_relative_area: Mean of object area / image area; None without objects.
    """

    num_objects: int
    mean_object_area: float | None
    mean_relative_area: float | None


def summarise_boxes(boxes: ArrayLike, height: int, width: int) -> ObjectSummary:
    """Count and measure boxes.

    Args:
        boxes: (n, 4) as (xmin, ymin, xmax, ymax) in pixels of the original image. The area
            is (xmax - xmin) * (ymax - ymin).
        height, width: Of the original image in pixels.

    Raises:
        ValueError: ``boxes`` is not (n, 4), or the image has no area.
    """
    array = np.asarray(boxes, dtype=np.float64)
    if array.size == 0:
        return ObjectSummary(0, None, None)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f'boxes must have the shape (n, 4), got {array.shape}')
    if height < 1 or width < 1:
        raise ValueError(f'height and width must be at least 1, got {height} and {width}')
    area = float(((array[:, 2] - array[:, 0]) * (array[:, 3] - array[:, 1])).mean())
    return ObjectSummary(len(array), area, area / (height * width))
