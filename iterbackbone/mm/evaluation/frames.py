"""In which frame boxes lie that a pipeline resized or flipped, by the data set's own annotations."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np

DIRECTIONS = (None, 'horizontal', 'vertical', 'diagonal')
TOLERANCE = 1.5  # pixels; loaders may take one off a corner


class Frame(NamedTuple):
    """How boxes of the original image were changed: resized, then flipped.

    Attributes:
        scale: Of width and height.
        flip: ``horizontal``, ``vertical``, ``diagonal`` (both) or None.
        size: (width, height) of what was flipped.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    flip: str | None = None
    size: tuple[float, float] = (0.0, 0.0)

    def original(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (n, 4), xyxy, in the original image's frame."""
        boxes = np.array(boxes, dtype=np.float64)
        for axis, directions in enumerate((('horizontal', 'diagonal'), ('vertical', 'diagonal'))):
            if self.flip in directions:
                boxes[:, [axis, axis + 2]] = self.size[axis] - boxes[:, [axis + 2, axis]]
        return boxes / np.tile(self.scale, 2)


class Annotated(NamedTuple):
    """Boxes (n, 4), xyxy, and labels (n,), -1 where there is none."""

    boxes: np.ndarray
    labels: np.ndarray

    @classmethod
    def join(cls, *parts: Annotated) -> Annotated:
        """All boxes of several."""
        return cls(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def original_size(info: dict[str, Any]) -> tuple[int, int] | None:
    """(width, height) of the image as it was read; None where the metainfo does not say."""
    shape = info.get('ori_shape')
    return None if shape is None else (int(shape[1]), int(shape[0]))


def scale_of(info: dict[str, Any]) -> tuple[float, float]:
    """By which width and height were resized, as the predictions are scaled back."""
    factor = info.get('scale_factor')  # a tuple, an array or a number
    width, height = np.resize(np.asarray(1.0 if factor is None else factor, dtype=np.float64), 2)
    return float(width), float(height)


def is_cropped(info: dict[str, Any]) -> bool:
    """Whether the network's image is smaller than the original one resized."""
    size, shape = original_size(info), info.get('img_shape')
    if size is None or shape is None:
        return False
    pairs = zip(size, scale_of(info), (shape[1], shape[0]), strict=True)
    return any(n < old * scale - 1 for old, scale, n in pairs)


def matching_frames(
    packed: Annotated, raw: Annotated, info: dict[str, Any], tolerance: float = TOLERANCE
) -> list[Frame]:
    """The frames in which packed boxes are annotated ones, the best first.

    Args:
        packed: Boxes behind the pipeline, all or some of ``raw``.
        raw: Boxes of the data set in the original image's frame.
        info: The sample's metainfo.
        tolerance: In pixels of the original image.
    """
    errors = {f: _error(f.original(packed.boxes), packed.labels, raw, info) for f in _frames(info)}
    found = [frame for frame, error in errors.items() if error <= tolerance]
    return sorted(found, key=errors.__getitem__)  # equal ones stay in the order of _frames


def _frames(info: dict[str, Any]) -> list[Frame]:
    size, shape = original_size(info), info.get('img_shape')
    directions = (*DIRECTIONS[1:], None) if info.get('flip') else DIRECTIONS
    found = []
    for scale, flip in product(((1.0, 1.0), scale_of(info)), directions):
        sizes = [] if size is None else [tuple(np.multiply(size, scale).tolist())]
        if shape is not None:
            sizes.append((float(shape[1]), float(shape[0])))
        found += [Frame(scale, flip, s) for s in sizes] if flip else [Frame(scale)]
    return list(dict.fromkeys(found))


def _error(boxes: np.ndarray, labels: np.ndarray, raw: Annotated, info: dict[str, Any]) -> float:
    """The largest distance of a box to the nearest annotated one of its label, in pixels."""
    if not len(boxes):
        return 0.0
    if not len(raw.boxes):
        return np.inf
    size = original_size(info)
    clipped = raw.boxes if size is None else np.clip(raw.boxes, 0, np.tile(size, 2))
    distances = np.minimum(
        *(np.abs(boxes[:, None] - known[None]).max(axis=2) for known in (raw.boxes, clipped))
    )
    other = (labels[:, None] != raw.labels[None]) & (labels[:, None] >= 0) & (raw.labels[None] >= 0)
    return float(np.where(other, np.inf, distances).min(axis=1).max())
