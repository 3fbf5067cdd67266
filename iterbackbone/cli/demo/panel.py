"""What a picture cost, in bars beside it and in a window: iterations of stages, MACs, time."""

from __future__ import annotations

import os
import sys
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

BLUE, ORANGE, GREY, INK = '#0072B2', '#D55E00', '#e4e4e4', '#222222'
LOWEST, USUAL = 240, 420  # pixels of a panel's height: below the first the text is too small
SHORTEST = 480  # of a drawn picture's longer side
NAME = 'iterbackbone demo (q: quit)'
HINT = 'all iterations ran everywhere: after tools/fit_halting.py a lower --budget stops earlier'


class Prediction(NamedTuple):
    """What a model found in one picture or frame, and what it cost."""

    sample: Any  # of the toolbox
    boxes: int | None  # that are drawn; None where the toolbox draws none
    iterations: tuple[float, ...]  # of each stage of the backbones that ran; means of windows or views
    limits: tuple[int, ...]  # highest iterations of each stage
    macs: int  # adaptive ones: of all iterative modules that ran, a RoI layer among them
    macs_full: int  # of them at all iterations
    ms: float  # of the model's forward pass with its post-processing

    @property
    def share(self) -> float:
        """Of the full MACs."""
        return self.macs / self.macs_full


def with_panel(drawn: np.ndarray, cost: Prediction) -> Image.Image:
    """A drawn picture, (H, W, 3) uint8 RGB, enlarged where it is small, and its panel."""
    picture = Image.fromarray(drawn)
    if max(picture.size) < SHORTEST:
        picture = ImageOps.contain(picture, (SHORTEST, SHORTEST))
    most = max(USUAL, round(picture.width * 0.4))  # of a large picture, which a screen makes smaller
    panel = cost_panel(cost, max(LOWEST, min(picture.height, most)))
    height = max(picture.height, panel.height)
    whole = Image.new('RGB', (picture.width + panel.width, height), 'white')
    whole.paste(picture, (0, (height - picture.height) // 2))
    whole.paste(panel, (picture.width, (height - panel.height) // 2))
    return whole


def cost_panel(cost: Prediction, height: int) -> Image.Image:
    """Bars from top to bottom, as wide as 0.8 of the height."""
    rows = len(cost.iterations) + 1
    width = round(height * 0.8)
    unit = min(height / (rows + 2.6), width / 6)  # of few bars it would outgrow the width
    panel = Image.new('RGB', (width, height), 'white')
    draw = ImageDraw.Draw(panel)
    left, right = round(unit * 0.4), panel.width - round(unit * 0.4)
    font, small = (ImageFont.load_default(unit * size) for size in (0.42, 0.36))
    top = unit * 0.3
    draw.text((left, top), 'Iterations', INK, font)
    top += unit * 0.75
    bars = [
        (f'stage {k}', f'{n:.3g} of {limit}', n / limit, BLUE)
        for k, (n, limit) in enumerate(zip(cost.iterations, cost.limits, strict=True))
    ]
    bars.append(('adaptive MACs', f'{cost.share:.0%} of full', cost.share, ORANGE))
    for name, value, share, colour in bars:
        draw.text((left, top), name, INK, small)
        draw.text((right, top), value, INK, small, anchor='ra')
        middle, bottom = top + unit * 0.46, top + unit * 0.72
        draw.rectangle((left, middle, right, bottom), GREY)
        draw.rectangle((left, middle, left + (right - left) * share, bottom), colour)
        top += unit
    draw.text((left, top + unit * 0.1), f'{cost.ms:.0f} ms', INK, font)
    return panel


def open_window() -> None:
    """Raise ValueError where there is no display, or OpenCV was built without windows."""
    # OpenCV's window toolkit would abort the process.
    if sys.platform == 'linux' and not {'DISPLAY', 'WAYLAND_DISPLAY'} & os.environ.keys():
        raise ValueError('--show needs a display, and there is none')
    try:
        cv2.namedWindow(NAME, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
    except cv2.error:
        raise ValueError('--show needs opencv-python, not its headless build') from None


def shown(rgb: np.ndarray, milliseconds: int) -> bool:
    """Show a picture in the window for a while; 0 is until a key. Returns whether to go on."""
    cv2.imshow(NAME, np.ascontiguousarray(rgb[..., ::-1]))
    return cv2.waitKey(milliseconds) & 0xFF != ord('q')
