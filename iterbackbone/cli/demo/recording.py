"""A video file, written page by page at a rate that it can have."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np

from .sources import ffmpeg_path

MEASURED = 10  # pages that a camera's rate is measured over
MOST = 65535  # in MPEG-4 a rate is a fraction of 16 bits, and OpenCV's denominators are powers of ten


def writable_rate(rate: float) -> float:
    """The nearest rate that OpenCV can write: 119.88 for 119.88012, 90.02 for 90.017."""
    rounded = ((round(rate, digits), 10**digits) for digits in (3, 2, 1, 0))
    return next((value for value, unit in rounded if value * unit <= MOST), rate)


class Recording:
    """Writes (H, W, 3) uint8 RGB pages of one size; ``close`` ends the file.

    Args:
        path: Of the file.
        rate: Of the source, in frames per second.
        live: The source does not wait, as a camera. The rate is then that of the first pages, and
            later ones are repeated or left out, so that the file lasts as long as what it shows.

    Attributes:
        rate: As written.
    """

    def __init__(self, path: Path, rate: float, live: bool = False) -> None:
        self.rate = writable_rate(rate)
        self._path, self._live = path, live
        self._held: list[np.ndarray] = []
        self._writer: cv2.VideoWriter | None = None
        self._started = self._latest = 0.0
        self._written = 0

    def add(self, page: np.ndarray) -> None:
        """One more page; ValueError where the file cannot be written."""
        self._latest = time.perf_counter()
        if not self._live:
            self._put(page)
        elif self._writer is None:
            self._started = self._started or self._latest
            self._held.append(page)
            if len(self._held) == MEASURED:
                self._put_held()
        else:
            due = round((self._latest - self._started) * self.rate) + 1
            self._put(page, due - self._written)

    def close(self) -> None:
        """Write what is left; ValueError where the file is not whole: OpenCV does not say so."""
        self._put_held()
        if self._writer is None:
            return
        self._writer.release()
        if not cv2.VideoCapture(ffmpeg_path(self._path)).isOpened():
            self._path.unlink()
            raise ValueError(f'{self._path} cannot be completed: the disk may be full')

    def _put_held(self) -> None:
        if len(self._held) > 1:
            seconds = self._latest - self._started
            self.rate = writable_rate((len(self._held) - 1) / seconds)
        for page in self._held:
            self._put(page)
        self._held = []

    def _put(self, page: np.ndarray, times: int = 1) -> None:
        self._writer = self._writer or self._opened(page)
        for _ in range(times):
            self._writer.write(page[..., ::-1])
            self._written += 1

    def _opened(self, page: np.ndarray) -> cv2.VideoWriter:
        height, width = page.shape[:2]
        codec = cv2.VideoWriter_fourcc(*'mp4v')
        writer = cv2.VideoWriter(ffmpeg_path(self._path), codec, self.rate, (width, height))
        if not writer.isOpened():
            raise ValueError(f'{self._path} cannot be written at {self.rate:g} frames per second')
        return writer
