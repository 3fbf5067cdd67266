"""In which frame boxes lie that a pipeline resized or flipped: by annotations, else by its steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from .annotated import Annotated, annotated_in, largest_distance
from .sources import Source, Step

DIRECTIONS = (None, 'horizontal', 'vertical', 'diagonal')
TOLERANCE = 1.5  # pixels; loaders may take one off a corner
CHANGES = ('Resize', 'Flip')
MOVES = ('Affine', 'Expand', 'MixUp', 'Mosaic', 'Rotate', 'Shear', 'Shift', 'Translate')  # not undone


class Frame(NamedTuple):
    """How boxes of the original image were changed: resized, then flipped."""

    scale: tuple[float, float] = (1.0, 1.0)  # of width and height
    flip: str | None = None  # 'horizontal', 'vertical', 'diagonal' (both)
    size: tuple[float, float] = (0.0, 0.0)  # (width, height) of what was flipped

    def original(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (n, 4), xyxy, in the original image's frame."""
        boxes = np.array(boxes, dtype=np.float64)
        for axis, directions in enumerate((('horizontal', 'diagonal'), ('vertical', 'diagonal'))):
            if self.flip in directions:
                boxes[:, [axis, axis + 2]] = self.size[axis] - boxes[:, [axis + 2, axis]]
        return boxes / np.tile(self.scale, 2)


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


def true_frames(packed: Annotated, sample: Any, source: Source, tolerance: float) -> list[Frame]:
    """The frames that the sample's true boxes may lie in, the best first; none if it is unknown.

    The data set's own annotations decide. Where it has none to compare with, the order of the
    pipeline does: what is loaded behind Resize and RandomFlip lies in the original frame.

    The ``packed`` boxes, behind the pipeline, are all or some of the data set's; ``tolerance`` is in
    pixels of the original image.
    """
    if not len(packed.boxes):
        return [Frame()]
    info = sample.metainfo
    raw = annotated_in(source.info or info)
    if raw is None:
        orders = {_by_order(steps, info) for steps in source.pipelines}
        return [frame for frame in orders if frame and len(orders) == 1]
    size, errors = original_size(info), {}
    for frame in _frames(info):
        boxes = packed._replace(boxes=frame.original(packed.boxes))
        errors[frame] = largest_distance(boxes, raw, size, tolerance)
    found = [frame for frame, error in errors.items() if error <= tolerance]
    return sorted(found, key=errors.__getitem__)  # equal ones stay in the order of _frames


def image_frame(sample: Any, source: Source, frames: Sequence[Frame]) -> Frame | None:
    """How predicted boxes, resized back by the model, lie in the original image; None if unknown.

    What is mirrored with the true boxes, whose ``frames`` are given, was mirrored.
    """
    if not frames:
        return None
    info = sample.metainfo
    steps = [step for each in source.pipelines for step in each]
    if any(step.is_a(*MOVES) and _chance(step.transform) > 0 for step in steps):
        return None  # true boxes may be none, so that nothing shows it
    size = original_size(info)
    flips = {_flip(info, steps) for steps in source.pipelines}
    seen = {frame.flip for frame in frames}
    if len(flips) != 1 or 'unknown' in flips:
        flips = seen if None not in seen else set()
    if is_cropped(info) or len(flips) != 1:
        return None
    (flip,) = flips
    if flip is None:
        return Frame()
    return None if size is None else Frame(flip=flip, size=size)


def may_be_flipped(sample: Any, source: Source) -> bool:
    """Whether a sample, or one that test-time augmentation merged into it, may be mirrored."""
    return bool(sample.metainfo.get('flip')) or any(map(_flips, source.pipelines))


def _flip(info: dict[str, Any], steps: list[Step]) -> str | None:
    """The image's direction: what the sample says, else what the pipeline does to every image."""
    if 'flip' in info:
        return (info.get('flip_direction') or 'unknown') if info['flip'] else None
    flips = _flips(steps)
    if not flips:
        return None
    transform, certain = flips[0]
    direction = getattr(transform, 'direction', None)
    always = len(flips) == 1 and certain and _chance(transform) == 1
    return direction if always and isinstance(direction, str) else 'unknown'


def _flips(steps: list[Step]) -> list[Step]:
    return [step for step in steps if step.is_a('Flip') and _chance(step.transform) > 0]


def _chance(transform: Any) -> float:
    chance = getattr(transform, 'prob', None)
    return 1.0 if chance is None else float(np.sum(chance))


def _by_order(steps: list[Step], info: dict[str, Any]) -> Frame | None:
    loads = [i for i, step in enumerate(steps) if step.is_a('LoadAnnotations')]
    changes = [i for i, step in enumerate(steps) if step.is_a(*CHANGES) and _chance(step.transform) > 0]
    size, scale = original_size(info), scale_of(info)
    if is_cropped(info):
        return None
    if not changes and scale == (1.0, 1.0) and not info.get('flip'):
        return Frame()
    if len(loads) != 1 or not changes:
        return None
    if max(changes) < loads[0]:
        return Frame()
    flip = _flip(info, steps)
    if min(changes) < loads[0] or flip == 'unknown' or size is None:
        return None
    return Frame(scale, flip, tuple(np.multiply(size, scale).tolist()))
