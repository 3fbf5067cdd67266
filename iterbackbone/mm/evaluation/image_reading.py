"""How a pipeline reads image files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import mmcv.image.io as image_io

from .sources import Step


def ignores_exif(steps: Sequence[Step]) -> bool:
    """Whether the network sees images as their files hold them, whatever their EXIF orientation.

    As :func:`mmcv.imfrombytes` reads them; False where no transform says how it reads.
    """
    for step in steps:
        flag = getattr(step.transform, 'color_type', None)
        if flag is not None:
            backend = getattr(step.transform, 'imdecode_backend', None) or image_io.imread_backend
            return _ignores(flag, backend)
    return False


def _ignores(flag: Any, backend: str) -> bool:
    if backend not in ('cv2', 'pillow'):  # turbojpeg and tifffile know no orientation
        return True
    if backend == 'cv2':
        number = image_io.imread_flags[flag] if isinstance(flag, str) else flag
        return number < 0 or bool(number & cv2.IMREAD_IGNORE_ORIENTATION)
    return flag not in ('color', 'grayscale')
