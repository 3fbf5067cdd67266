"""What is known of one sample: the frame of its true boxes and whether the image was mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .frames import TOLERANCE, Annotated, Frame, is_cropped, matching_frames, original_size, scale_of
from .sources import Source, Step

CHANGES = ('Resize', 'Flip')
MOVES = ('Affine', 'Expand', 'MixUp', 'Mosaic', 'Rotate', 'Shear', 'Shift', 'Translate')  # not undone


def true_frames(
    packed: Annotated, sample: Any, source: Source, tolerance: float = TOLERANCE
) -> list[Frame]:
    """The frames that the sample's true boxes may lie in, the best first; none if it is unknown.

    The data set's own annotations decide. Where it has none to compare with, the order of the
    pipeline does: what is loaded behind Resize and RandomFlip lies in the original frame.
    """
    if not len(packed.boxes):
        return [Frame()]
    info = sample.metainfo
    raw = _instances(source.info or info)
    if raw is not None:
        return matching_frames(packed, raw, info, tolerance)
    orders = {_by_order(steps, info) for steps in source.pipelines}
    (frame,) = orders if len(orders) == 1 else (None,)
    return [] if frame is None else [frame]


def image_frame(sample: Any, source: Source, frames: Sequence[Frame]) -> Frame | None:
    """How the predicted boxes, resized back by the model, lie in the original image.

    Args:
        sample: With its metainfo.
        source: Of the sample.
        frames: Of the true boxes; what is mirrored with them was mirrored.

    Returns:
        None where it cannot be known.
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


def _instances(info: dict[str, Any]) -> Annotated | None:
    """The annotated boxes of a data info; None where it has none of this kind."""
    instances = info.get('instances')
    if not isinstance(instances, list) or not all('bbox' in item for item in instances):
        return None
    boxes = np.array([item['bbox'] for item in instances], dtype=np.float64)
    if boxes.size != 4 * len(instances):
        return None
    labels = [item.get('bbox_label', -1) for item in instances]
    return Annotated(boxes.reshape(-1, 4), np.array(labels, dtype=np.int64))
