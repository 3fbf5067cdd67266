"""A video: every frame drawn beside its cost, over a strip of the compute so far."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from .panel import BLUE, GREY, INK, Window, with_panel
from .sources import Video, absolute

STRIP, LEFT, TOP, RIGHT, BOTTOM = 70, 40, 18, 10, 6  # pixels: the strip's height and its margins
WINDOW = 300  # frames of the strip of a camera
COMPARED = 20  # frames that also run at full depth


def run_video(video: Video, predictor: Any, out: Path, window: Window | None) -> Iterator[str]:
    """Draw each frame into ``out``; a camera ends by q in the window or by Ctrl-C.

    The predictor has ``predict(bgr, full_depth)`` and ``draw(bgr, prediction)``. Yields lines for the
    terminal. ValueError: the output cannot be written.
    """
    path, places = out / f'{video.name}_demo.mp4', video.length or WINDOW
    shares: list[float] = []
    times: list[tuple[float, float]] = []  # adaptive and full, of the same frames, in ms
    strip = None
    recording = Recording(path, video.rate, video.live)
    predictor.predict(video.first, full_depth=True)  # a first pass also loads and plans
    try:
        for i, frame in enumerate(tqdm(video.frames(), total=video.length, unit='frame', delay=2)):
            prediction = predictor.predict(frame)
            if i % max(1, places // COMPARED) == 0:
                full = predictor.predict(frame, full_depth=True)
                times.append((prediction.ms, full.ms))
            shares.append(prediction.share)
            whole = with_panel(predictor.draw(frame, prediction), prediction)
            strip = strip or empty_strip(whole.width)
            draw_share(strip, shares, places)
            page = _page(whole, strip)
            recording.add(page)
            if window and not window.show(page, 1):
                break
    except KeyboardInterrupt:
        if not times:
            raise
        print(file=sys.stderr)
    finally:
        recording.close()
    yield from _summary(path, video, recording.rate, shares, times)


def _summary(
    path: Path, video: Video, rate: float, shares: list[float], times: list[tuple[float, float]]
) -> Iterator[str]:
    if video.length and len(shares) < video.length:
        yield f'{len(shares)} of the {video.length} frames were read'
    adaptive, full = (1000 / statistics.median(each) for each in zip(*times, strict=True))
    yield f'{path}: {len(shares)} frames at {rate:g} per second'
    yield (
        f'share of the adaptive MACs: {statistics.mean(shares):.1%} on average, '
        f'{min(shares):.1%} to {max(shares):.1%}'
    )
    yield (
        f'frames per second: {adaptive:.1f} adaptive, {full:.1f} at full depth '
        f'(the model alone, median of {len(times)} frames)'
    )


def _page(whole: Image.Image, strip: Image.Image) -> np.ndarray:
    """One frame of the output, with even sides as codecs want them."""
    height = whole.height + STRIP
    page = Image.new('RGB', (whole.width + whole.width % 2, height + height % 2), 'white')
    page.paste(whole, (0, 0))
    page.paste(strip, (0, whole.height))
    return np.asarray(page)


class Recording:
    """Writes (H, W, 3) uint8 RGB pages of one size to an MP4 file, ``rate`` per second.

    Those of a ``live`` source are repeated or left out, so that the file lasts as long as they did.
    """

    def __init__(self, path: Path, rate: float, live: bool = False) -> None:
        # In MPEG-4 a rate is a fraction of 16 bits, and OpenCV's denominators are powers of ten.
        self.rate = round(rate, 3 if rate < 65 else 2 if rate < 655 else 0)
        self._path, self._live = path, live
        self._writer: cv2.VideoWriter | None = None
        self._started, self._written = 0.0, 0

    def add(self, page: np.ndarray) -> None:
        """One more page; ValueError where the file cannot be written."""
        now = time.perf_counter()
        if self._writer is None:
            self._started, self._writer = now, self._opened(page)
        due = round((now - self._started) * self.rate) if self._live else self._written
        while self._written <= due:
            self._writer.write(page[..., ::-1])
            self._written += 1

    def close(self) -> None:
        """End the file; ValueError where it is not whole: OpenCV does not say so."""
        if self._writer is None:
            return
        self._writer.release()
        if not cv2.VideoCapture(absolute(self._path)).isOpened():
            self._path.unlink()
            raise ValueError(f'{self._path} cannot be completed: the disk may be full')

    def _opened(self, page: np.ndarray) -> cv2.VideoWriter:
        codec, size = cv2.VideoWriter_fourcc(*'mp4v'), page.shape[1::-1]
        writer = cv2.VideoWriter(absolute(self._path), codec, self.rate, size)
        if not writer.isOpened():
            raise ValueError(f'{self._path} cannot be written at {self.rate:g} frames per second')
        return writer


def empty_strip(width: int) -> Image.Image:
    """For the share of the full MACs over time, ``width`` pixels wide."""
    strip = Image.new('RGB', (width, STRIP), 'white')
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(11)
    draw.text((LEFT, 2), 'Share of the adaptive MACs over time', INK, font)
    for value, y in ((100, TOP), (0, STRIP - BOTTOM)):
        draw.text((LEFT - 4, y), f'{value}%', INK, font, anchor='rm')
    draw.rectangle((LEFT, TOP, width - RIGHT, STRIP - BOTTOM), GREY)
    return strip


def draw_share(strip: Image.Image, shares: list[float], places: int) -> None:
    """Draw the last one of ``shares``, which start over at the left after so many ``places``.

    Frames that share a column of pixels are drawn as their mean.
    """
    place, step = (len(shares) - 1) % places, (strip.width - LEFT - RIGHT) / places
    left, after = (int(LEFT + k * step) for k in (place, place + 1))
    first = math.ceil((left - LEFT) / step)  # place of the column
    mean = statistics.fmean(shares[first - place - 1 :])
    rows = round((STRIP - BOTTOM - TOP + 1) * mean)
    draw, right, bottom = ImageDraw.Draw(strip), max(left, after - 1), STRIP - BOTTOM
    draw.rectangle((left, TOP, right, bottom), GREY)
    if rows:  # Pillow's corners are inside
        draw.rectangle((left, bottom - rows + 1, right, bottom), BLUE)
