"""Image files as an exported file wants them: the steps of its description, without OpenMMLab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def load_image(path: Path, steps: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """A file's image after ``steps``, (1, 3, H, W) uint8 in RGB.

    Args:
        path: Of an image.
        steps: As :func:`iterbackbone.mm.exporting.preparation.image_steps` describes them.

    Raises:
        ValueError: it is no image, or a step is not known.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f'--images: {path} cannot be read as an image')
    for step in steps:
        image = _after(image, step)
    return np.ascontiguousarray(image[None, :, :, ::-1].transpose(0, 3, 1, 2))


def _after(image: np.ndarray, step: Mapping[str, Any]) -> np.ndarray:
    height, width = image.shape[:2]
    if step['step'] == 'resize' and not step['keep_ratio']:
        return cv2.resize(image, tuple(step['scale']))
    if step['step'] == 'resize':
        long, short = max(step['scale']), min(step['scale'])
        factor = min(long / max(height, width), short / min(height, width))
        size = (max(1, int(width * factor + 0.5)), max(1, int(height * factor + 0.5)))
        return cv2.resize(image, size)
    if step['step'] == 'resize_short':
        edge, short = step['edge'], min(height, width)
        return cv2.resize(image, (edge * width // short, edge * height // short))
    if step['step'] == 'center_crop':
        h, w = step['size']
        top, left = max(0, round((height - h) / 2)), max(0, round((width - w) / 2))  # as mmcv
        return image[top : top + h, left : left + w]
    raise ValueError(f'steps must be resize, resize_short or center_crop, got {step["step"]!r}')
