"""One rank's label maps and pictures of one evaluation, as PNG files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from pathlib import Path

import cv2
import numpy as np

from ..files import named_errors

FOLDERS = {'true_map': 'annotations', 'predicted_map': 'predictions', 'picture': 'pictures'}
NAME_LENGTH = 100  # characters of an image's name that go into a file's


class PngFiles:
    """Writes ``FOLDER/NAME.png`` into an evaluation's folder; ``FOLDERS`` says which folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: list[tuple[int, Path]] = []

    def write(self, number: int, name: object, images: Mapping[str, np.ndarray]) -> dict[str, str]:
        """Write the ``images`` of one image, by the keys of ``FOLDERS``.

        They are (H, W) class indices or grey, uint8 or uint16, or (H, W, 3) uint8 of red, green and
        blue. The ``number`` makes the file's name unique; of ``name`` what is unsafe there is replaced.

        Returns:
            The files' paths relative to the folder, by the same keys.
        """
        safe = re.sub(r'[^A-Za-z0-9._-]+', '_', '' if name is None else f'_{name}')[:NAME_LENGTH]
        paths = {}
        for key, image in images.items():
            paths[key] = f'{FOLDERS[key]}/{number:06d}{safe}.png'
            target = self._path / paths[key]
            target.parent.mkdir(exist_ok=True)
            # OpenCV's order is blue, green, red.
            pixels = image[..., ::-1] if image.ndim == 3 else image
            with named_errors(target):
                target.write_bytes(cv2.imencode('.png', pixels)[1].tobytes())
            self._written.append((number, target))
        return paths

    def keep(self, numbers: Set[int]) -> None:
        """Remove the files of all other images."""
        for number, path in self._written:
            if number not in numbers:
                path.unlink()
