"""Images as the network's own test pipeline would prepare them, with numpy and Pillow only."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

STEPS = {'resize': ('scale', 'keep_ratio'), 'resize_short': ('edge',), 'center_crop': ('size',)}
MOST_PIXELS = 2**28  # that a step may make of an image
FORMATS = ('BMP', 'JPEG', 'PNG', 'TIFF', 'WEBP')  # none that starts another program
TYPES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')


class UserError(Exception):
    """Something the user can fix; the message says how."""


def find(paths: Iterable[Path], limit: int | None) -> list[Path]:
    """Image files among ``paths`` and, by name, in the folders among them."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.rglob('*') if p.suffix.lower() in TYPES and p.is_file())
        elif path.is_file():
            found.append(path)
        else:
            raise UserError(f'no such file or folder: {path}')
    if not found:
        raise UserError(
            f'no image found; looked for {", ".join(TYPES)} in {", ".join(map(str, paths))}'
        )
    return found[:limit]


def load(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 in RGB, upright.

    Raises:
        UserError: it is no image.
    """
    try:
        with Image.open(path, formats=FORMATS) as file:
            upright = ImageOps.exif_transpose(file)
            if upright.mode.startswith('I;16'):  # Pillow clips, OpenCV keeps the upper byte
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            if upright.mode in ('I', 'F'):  # of which Pillow makes white or black
                raise ValueError('has more than 16 bits a value: convert it to 8')
            return np.asarray(upright.convert('RGB'))
    except Exception as error:  # a broken file raises almost anything
        raise UserError(f'{path}: {error}') from None


def prepare(image: np.ndarray, steps: Iterable[dict[str, Any]]) -> np.ndarray:
    """Apply the steps an exported file describes to an (H, W, 3) uint8 image.

    Raises:
        UserError: this runner does not know a step, or one would make too many pixels.
    """
    for step in steps:
        height, width = image.shape[:2]
        if step['step'] == 'resize':
            image = resize(image, *_scaled(height, width, step['scale'], step['keep_ratio']))
        elif step['step'] == 'resize_short':
            edge = step['edge']
            if height < width:
                image = resize(image, edge, int(edge * width / height))
            else:
                image = resize(image, int(edge * height / width), edge)
        elif step['step'] == 'center_crop':
            image = _center_crop(image, *step['size'])
        else:
            raise UserError(f'the file wants the step {step["step"]!r}: take a newer runner')
    return image


def _scaled(height: int, width: int, scale: tuple[int, int], keep_ratio: bool) -> tuple[int, int]:
    """(H, W) after mmcv's rescale to fit ``scale``, whatever way round the image is."""
    if not keep_ratio:
        return scale[1], scale[0]
    factor = min(max(scale) / max(height, width), min(scale) / min(height, width))
    return max(1, int(height * factor + 0.5)), max(1, int(width * factor + 0.5))


def _center_crop(image: np.ndarray, height: int, width: int) -> np.ndarray:
    top = max(0, round((image.shape[0] - height) / 2))
    left = max(0, round((image.shape[1] - width) / 2))
    return image[top : top + height, left : left + width]


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear without antialiasing, as OpenCV's: Pillow's smooths what it makes smaller.

    Raises:
        UserError: the result would be too large.
    """
    if image.shape[:2] == (height, width):
        return image
    if height * width > MOST_PIXELS:
        raise UserError(f'a step would make {height}x{width} pixels, more than {MOST_PIXELS}')
    rows, columns = _taps(image.shape[0], height), _taps(image.shape[1], width)
    upper, lower, down = (each[:, None, None] for each in rows)
    left, right, across = columns
    across = across[None, :, None]
    upper, lower = image[upper[:, 0, 0]], image[lower[:, 0, 0]]
    x = upper + (lower.astype(np.float32) - upper) * down
    x = x[:, left] + (x[:, right] - x[:, left]) * across
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)


def _taps(size: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of the two neighbours of each new pixel's centre, and the second one's weight."""
    position = (np.arange(new) + 0.5) * (size / new) - 0.5
    first = np.floor(position).astype(np.int64)
    weight = (position - first).astype(np.float32)
    return first.clip(0, size - 1), (first + 1).clip(0, size - 1), weight
