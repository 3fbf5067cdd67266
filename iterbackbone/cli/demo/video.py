"""A video: every frame drawn beside its cost, over a strip of the compute so far."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from .panel import BLUE, GREY, HINT, INK, shown, with_panel
from .sources import Video, absolute

STRIP, LEFT, TOP, RIGHT, BOTTOM = 70, 40, 18, 10, 6  # pixels: the strip's height and its margins
WINDOW = 300  # frames of the strip of a camera
COMPARED = 20  # frames that also run at full depth


def run_video(video: Video, predictor: Any, out: Path, show: bool) -> Iterator[str]:
    """Draw each frame into ``out``; yields lines for the terminal. q or Ctrl-C ends a camera."""
    path, rate, written = out / f'{video.name}_demo.mp4', video.rate, 0
    shares: list[float] = []
    times: list[tuple[float, float]] = []  # adaptive and full, of the same frames, in ms
    pages = _pages(video, predictor, shares, times)
    first, started = next(pages), time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    with recording(path, rate, first.shape[1::-1]) as writer:
        try:
            for number, page in enumerate(chain([first], pages)):
                # A camera does not wait: the file is to last as long as what it shows.
                due = round((time.perf_counter() - started) * rate) if video.live else number
                for _ in range(written, due + 1):
                    writer.write(page[..., ::-1])
                written = max(written, due + 1)
                if show and not shown(page, 1):
                    break
        except KeyboardInterrupt:
            print(file=sys.stderr)
    if video.length and len(shares) < video.length:
        yield f'{len(shares)} of the {video.length} frames were read'
    adaptive, full = (1000 / statistics.median(each) for each in zip(*times, strict=True))
    yield f'{path}: {len(shares)} frames at {rate:g} per second'
    yield (
        f'share of the adaptive MACs: {statistics.mean(shares):.1%} on average, '
        f'{min(shares):.1%} to {max(shares):.1%}'
    )
    if min(shares) > 0.9995:
        yield HINT
    yield (
        f'frames per second: {adaptive:.1f} adaptive, {full:.1f} at full depth '
        f'(the model alone, median of {len(times)} frames)'
    )


def _pages(
    video: Video, predictor: Any, shares: list[float], times: list[tuple[float, float]]
) -> Iterator[np.ndarray]:
    """Frames of the output, (H, W, 3) uint8 RGB, with even sides as codecs want them."""
    places, strip = video.length or WINDOW, None
    predictor.predict(video.first, full_depth=True)  # a first pass also loads and plans
    for i, frame in enumerate(tqdm(video.frames(), total=video.length, unit='frame', delay=2)):
        prediction = predictor.predict(frame)
        if i % max(1, places // COMPARED) == 0:
            full = predictor.predict(frame, full_depth=True)
            times.append((prediction.ms, full.ms))
        shares.append(prediction.share)
        whole = with_panel(predictor.draw(frame, prediction), prediction)
        strip = strip or empty_strip(whole.width)
        draw_share(strip, shares, places)
        height = whole.height + STRIP
        page = Image.new('RGB', (whole.width + whole.width % 2, height + height % 2), 'white')
        page.paste(whole, (0, 0))
        page.paste(strip, (0, whole.height))
        yield np.asarray(page)


@contextmanager
def recording(path: Path, rate: float, size: tuple[int, int]) -> Iterator[cv2.VideoWriter]:
    """A writer of BGR pages, (W, H), to an MP4 file; ValueError where that cannot be written."""
    writer = cv2.VideoWriter(absolute(path), cv2.VideoWriter_fourcc(*'mp4v'), rate, size)
    if not writer.isOpened():
        raise ValueError(f'{path} cannot be written at {rate:g} frames per second')
    try:
        yield writer
    finally:
        writer.release()
    if not cv2.VideoCapture(absolute(path)).isOpened():  # OpenCV does not say so
        path.unlink()
        raise ValueError(f'{path} cannot be completed: the disk may be full')


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
    """Draw the last share, in the mean of its column; after ``places`` frames the left comes again."""
    place, step = (len(shares) - 1) % places, (strip.width - LEFT - RIGHT) / places
    left, after = (int(LEFT + k * step) for k in (place, place + 1))
    first = math.ceil((left - LEFT) / step)  # place of the column
    mean = statistics.fmean(shares[first - place - 1 :])
    rows = round((STRIP - BOTTOM - TOP + 1) * mean)
    draw, right, bottom = ImageDraw.Draw(strip), max(left, after - 1), STRIP - BOTTOM
    draw.rectangle((left, TOP, right, bottom), GREY)
    if rows:  # Pillow's corners are inside
        draw.rectangle((left, bottom - rows + 1, right, bottom), BLUE)
