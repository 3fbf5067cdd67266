"""Image files as an exported file wants them: the steps of its description, without OpenMMLab."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIZES = {'resize': ('scale', 2), 'resize_short': ('edge', 1), 'center_crop': ('size', 2)}
LARGEST = 2**14  # pixels of a side


def check_steps(steps: Any) -> None:
    """Raise ValueError unless a file's ``steps`` are a list of what :func:`load_image` can do."""
    for step in steps if isinstance(steps, list) else [steps]:
        if not _known(step):
            raise ValueError(
                f'steps must be resize, resize_short or center_crop to sizes of 1 to {LARGEST}, '
                f'got {step!r:.80}'
            )


def _known(step: Any) -> bool:
    if not isinstance(step, Mapping) or str(step.get('step')) not in SIZES:
        return False
    key, count = SIZES[str(step['step'])]
    sizes = [step.get(key)] if count == 1 else step.get(key)
    if not isinstance(sizes, list) or len(sizes) != count:
        return False
    return all(type(size) is int and 1 <= size <= LARGEST for size in sizes)


def load_image(path: Path, steps: list[Mapping[str, Any]]) -> np.ndarray:
    """A file's image, (1, 3, H, W) uint8 in RGB, after the steps of a file's description.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no image, or a step is not known.
    """
    check_steps(steps)
    content = np.fromfile(path, np.uint8)  # as mmcv: OpenCV's imread fails on rotated TIFF files
    try:
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
        if image is None:
            raise ValueError(f'--images: {path} cannot be read as an image')
        for step in steps:
            image = _after(image, step)
    except (cv2.error, MemoryError) as error:
        raise ValueError(f'--images: {path} becomes too large or too small ({error})') from error
    return np.ascontiguousarray(image[None, :, :, ::-1].transpose(0, 3, 1, 2))


def _after(image: np.ndarray, step: Mapping[str, Any]) -> np.ndarray:
    height, width = image.shape[:2]
    if step['step'] == 'center_crop':
        h, w = step['size']
        top, left = max(0, round((height - h) / 2)), max(0, round((width - w) / 2))  # as mmcv
        return image[top : top + h, left : left + w]
    if step['step'] == 'resize_short':
        edge, short = step['edge'], min(height, width)
        size = (edge * width // short, edge * height // short)
    elif step.get('keep_ratio'):
        long, short = max(step['scale']), min(step['scale'])
        factor = min(long / max(height, width), short / min(height, width))
        size = (max(1, int(width * factor + 0.5)), max(1, int(height * factor + 0.5)))
    else:
        size = (step['scale'][0], step['scale'][1])
    return cv2.resize(image, size)
