"""One rank's label maps of one evaluation, as PNG files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

FOLDERS = {'true_map': 'annotations', 'predicted_map': 'predictions'}
NAME_LENGTH = 100  # characters of an image's name that go into a file's


class LabelMapFiles:
    """Writes ``annotations/NAME.png`` and ``predictions/NAME.png``, as ``.part`` until published.

    Args:
        path: The evaluation's folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: list[tuple[int, Path]] = []

    def write(self, index: int, name: object, label_maps: Mapping[str, np.ndarray]) -> dict[str, str]:
        """Write one image's maps.

        Args:
            index: Of the image in the dataset. It makes the file's name unique.
            name: Of the image; what is unsafe in a file's name is replaced.
            label_maps: (H, W) class indices, uint8 or uint16, by the keys of ``FOLDERS``.

        Returns:
            The files' paths relative to the folder, by the same keys.
        """
        safe = re.sub(r'[^A-Za-z0-9._-]+', '_', '' if name is None else f'_{name}')[:NAME_LENGTH]
        paths = {}
        for key, label_map in label_maps.items():
            paths[key] = f'{FOLDERS[key]}/{index:06d}{safe}.png'
            target = self._path / paths[key]
            target.parent.mkdir(exist_ok=True)
            _part(target).write_bytes(cv2.imencode('.png', label_map)[1].tobytes())
            self._written.append((index, target))
        return paths

    def publish(self, num_images: int) -> None:
        """Give the files their names; drop those of images that a sampler repeated."""
        for index, target in self._written:
            if index < num_images:
                _part(target).replace(target)
            else:
                _part(target).unlink()


def _part(target: Path) -> Path:
    return target.with_name(target.name + '.part')
