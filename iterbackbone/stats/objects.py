"""How many objects an image has and how large they are."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

MIN_SIZE = 30  # pixels; smaller components are mostly slips of the annotators' pen
BORDER = 8  # pixels; VOC draws ignored borders of about 5 between its classes

BACKGROUND_WORDS = {'background', 'bg'}  # of a class that is no object
BACKGROUND_NAMES = {*BACKGROUND_WORDS, 'void', 'unlabeled', 'unlabelled', 'unannotated', 'dontcare'}
BACKGROUND_NAMES |= {'ignore', 'ignored', 'ignoreregion', 'ignoredregion', 'ignoredregions'}

Labels = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]


def is_background(name: str) -> bool:
    """Whether a class of this name is no object, such as ``Background``, ``__bg__`` and ``void``."""
    words = re.findall('[a-z]+', name.lower())
    return bool(BACKGROUND_WORDS & set(words)) or ''.join(words) in BACKGROUND_NAMES


class ObjectSummary(NamedTuple):
    """Objects of one image; without objects they have no size."""

    num_objects: int
    mean_object_area: float | None  # pixels of the original image
    mean_relative_area: float | None  # mean of object area / image area


def summarise_boxes(boxes: ArrayLike, height: int, width: int) -> ObjectSummary:
    """Count and measure boxes, (n, 4) as (xmin, ymin, xmax, ymax), of an image of this size in pixels.

    A box's area is (xmax - xmin) * (ymax - ymin).

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
    area = float((array[:, 2:] - array[:, :2]).prod(axis=1).mean())
    return ObjectSummary(len(array), area, area / (height * width))


class LabelMapSummary(NamedTuple):
    """Objects, classes and boundaries of one label map.

    Attributes:
        num_objects: Connected components of one class (4-neighbours), large enough to count.
        mean_object_area: Their mean area in pixels; None without objects.
        mean_relative_area: Mean of object area / image area; None without objects.
        num_classes: Classes that occur.
        boundary_fraction: Share of the labelled pixels that lie at a boundary: the next
            labelled pixel in one of the four directions is of another class, with at most
            ``BORDER`` ignored pixels in between. None without labelled pixels.
    """

    num_objects: int
    mean_object_area: float | None
    mean_relative_area: float | None
    num_classes: int
    boundary_fraction: float | None


def summarise_label_map(
    label_map: ArrayLike,
    ignore_index: int = 255,
    min_size: int = MIN_SIZE,
    background: Collection[int] = (),
) -> LabelMapSummary:
    """Count and measure the connected components, of ``min_size`` pixels or more, of a label map.

    The map has (H, W) class indices, or ``ignore_index`` where there is no label: the image area
    contains such pixels, nothing else does. ``background`` are classes that are no objects. Their
    components do not count; they are classes, and objects have boundaries with them.

    Raises:
        TypeError: ``label_map`` is not of integers.
        ValueError: it is not (H, W), or without pixels.
    """
    labels = np.asarray(label_map)
    if labels.ndim != 2 or labels.size == 0:
        raise ValueError(f'label_map must have the shape (H, W) with pixels, got {labels.shape}')
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f'label_map must be of integers, got {labels.dtype}')
    labelled = labels != ignore_index
    if not labelled.any():
        return LabelMapSummary(0, None, None, 0, None)
    sizes = _component_sizes(labels, labelled & ~np.isin(labels, list(background)))
    sizes = sizes[sizes >= min_size]
    area = float(sizes.mean()) if len(sizes) else None
    return LabelMapSummary(
        num_objects=len(sizes),
        mean_object_area=area,
        mean_relative_area=None if area is None else area / labels.size,
        num_classes=len(np.unique(labels[labelled])),
        boundary_fraction=float(_at_boundary(labels, labelled).sum() / labelled.sum()),
    )


def _component_sizes(labels: Labels, counted: Mask) -> NDArray[np.int64]:
    """Pixels of each connected component of equal labels, (n,), in one pass for all classes.

    On a grid of pixels and links between neighbours a link is set where both have the same label.
    """
    height, width = labels.shape
    grid = np.zeros((2 * height - 1, 2 * width - 1), dtype=bool)
    grid[::2, ::2] = counted
    grid[1::2, ::2] = (labels[1:] == labels[:-1]) & counted[1:]
    grid[::2, 1::2] = (labels[:, 1:] == labels[:, :-1]) & counted[:, 1:]
    components, number = ndimage.label(grid)
    return np.bincount(components[::2, ::2].ravel(), minlength=number + 1)[1:]


def _at_boundary(labels: Labels, labelled: Mask) -> Mask:
    """Labelled pixels that face another class across at most ``BORDER`` ignored ones, (H, W)."""
    found = np.zeros(labels.shape, dtype=bool)
    for axis in (0, 1):
        values, known, out = (np.moveaxis(a, axis, 0) for a in (labels, labelled, found))
        clear = np.ones_like(known)  # whether all pixels between the two are ignored
        for step in range(1, min(BORDER + 2, len(values))):
            clear = clear[:-1] if step == 1 else clear[:-1] & ~known[step - 1 : -1]
            facing = known[:-step] & known[step:] & clear & (values[:-step] != values[step:])
            out[:-step] |= facing
            out[step:] |= facing
    return found
