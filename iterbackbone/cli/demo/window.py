"""A window, where there is a display."""

from __future__ import annotations

import os
import sys

import cv2
import numpy as np

NAME = 'iterbackbone demo (q: quit)'


class Window:
    """Raises ValueError where there is no display, or OpenCV was built without windows."""

    def __init__(self) -> None:
        # OpenCV's window toolkit would abort the process.
        if sys.platform == 'linux' and not {'DISPLAY', 'WAYLAND_DISPLAY'} & os.environ.keys():
            raise ValueError('--show needs a display, and there is none')
        try:
            cv2.namedWindow(NAME, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error:
            raise ValueError('--show needs opencv-python, not its headless build') from None

    def show(self, rgb: np.ndarray, milliseconds: int) -> bool:
        """Show a picture for a while; 0 is until a key. Returns whether to go on."""
        cv2.imshow(NAME, np.ascontiguousarray(rgb[..., ::-1]))
        return cv2.waitKey(milliseconds) & 0xFF != ord('q')
