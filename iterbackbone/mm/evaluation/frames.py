"""How an image that a network saw lies in the original one."""

from __future__ import annotations

from typing import Any

import numpy as np

from .sources import Source

MOVES = ('Affine', 'Expand', 'MixUp', 'Mosaic', 'Rotate', 'Shear', 'Shift', 'Translate')  # not undone


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


def flip_of(info: dict[str, Any], source: Source) -> str | None:
    """How the image was mirrored: '', 'horizontal', 'vertical' or 'diagonal' (both).

    None where that is unknown, or where more was changed than size and direction.
    """
    if is_cropped(info) or source.named(*MOVES):
        return None
    if 'flip' not in info:
        return None if source.named('Flip') else ''
    if not info['flip']:
        return ''
    return None if original_size(info) is None else info.get('flip_direction')


def mirrored(boxes: np.ndarray, flip: str, size: tuple[int, int]) -> np.ndarray:
    """Boxes (n, 4), xyxy, in an image of size (width, height), mirrored; twice is not at all."""
    boxes = boxes.copy()
    for axis, directions in enumerate((('horizontal', 'diagonal'), ('vertical', 'diagonal'))):
        if flip in directions:
            boxes[:, [axis, axis + 2]] = size[axis] - boxes[:, [axis + 2, axis]]
    return boxes
