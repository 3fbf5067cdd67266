"""A video: every frame drawn beside its cost, over a strip of the compute so far."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from .panel import BLUE, GREY, INK, Window, hints, with_panel
from .recording import Recording
from .sources import Video

STRIP = 70  # pixels of the strip's height
WINDOW = 300  # frames of the strip of a camera
COMPARED = 20  # frames that also run at full depth


def run_video(video: Video, predictor: Any, out: Path, window: Window | None) -> Iterator[str]:
    """Draw each frame into ``out``; a camera ends by q in the window or by Ctrl-C.

    The predictor has ``predict(bgr, full_depth)`` and ``draw(bgr, prediction)``. Yields lines for the
    terminal. ValueError: the output cannot be written.
    """
    path = out / f'{video.name}_demo.mp4'
    shares: list[float] = []
    times: list[tuple[float, float]] = []  # adaptive and full, of the same frames, in ms
    strip = None
    recording = Recording(path, video.rate, video.live)
    every = max(1, (video.length or WINDOW) // COMPARED)
    predictor.predict(video.first, full_depth=True)  # a first pass also loads and plans
    try:
        for i, frame in enumerate(tqdm(video.frames(), total=video.length, unit='frame', delay=2)):
            prediction = predictor.predict(frame)
            if i % every == 0:
                full = predictor.predict(frame, full_depth=True)
                times.append((prediction.cost.ms, full.cost.ms))
            shares.append(prediction.cost.share)
            whole = with_panel(predictor.draw(frame, prediction), prediction.cost)
            strip = strip or Strip(video.length or WINDOW, whole.width)
            page = _page(whole, strip.with_next(prediction.cost.share))
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


def _page(whole: Image.Image, strip: Image.Image) -> np.ndarray:
    """One frame of the output, with even sides as codecs want them."""
    height = whole.height + STRIP
    page = Image.new('RGB', (whole.width + whole.width % 2, height + height % 2), 'white')
    page.paste(whole, (0, 0))
    page.paste(strip, (0, whole.height))
    return np.asarray(page)


class Strip:
    """Share of the full MACs over time, drawn frame by frame, ``width`` pixels wide.

    It holds so many ``places``: later frames start over at the left. Frames that share a column of
    pixels are drawn as their mean.
    """

    def __init__(self, places: int, width: int) -> None:
        self.image = Image.new('RGB', (width, STRIP), 'white')
        self._draw = ImageDraw.Draw(self.image)
        self._left, right, self._top, self._bottom = 40, width - 10, 18, STRIP - 6
        self._places, self._step, self._count = places, (right - self._left) / places, 0
        self._column, self._shares = -1, [0.0]
        font = ImageFont.load_default(11)
        self._draw.text((self._left, 2), 'Share of the adaptive MACs over time', INK, font)
        for value, y in ((100, self._top), (0, self._bottom)):
            self._draw.text((self._left - 4, y), f'{value}%', INK, font, anchor='rm')
        self._draw.rectangle((self._left, self._top, right, self._bottom), GREY)

    def with_next(self, share: float) -> Image.Image:
        """The strip with one more frame."""
        place = self._count % self._places
        left, after = (int(self._left + k * self._step) for k in (place, place + 1))
        if left != self._column:
            self._column, self._shares = left, []
        self._shares.append(min(share, 1))
        rows = round((self._bottom - self._top + 1) * statistics.fmean(self._shares))
        right = max(left, after - 1)
        self._draw.rectangle((left, self._top, right, self._bottom), GREY)
        if rows:  # Pillow's corners are inside
            self._draw.rectangle((left, self._bottom - rows + 1, right, self._bottom), BLUE)
        self._count += 1
        return self.image


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
    yield from hints(shares)
    yield (
        f'frames per second: {adaptive:.1f} adaptive, {full:.1f} at full depth '
        f'(the model alone, median of {len(times)} frames)'
    )
