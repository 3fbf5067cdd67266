"""The bars beside a picture: iterations of each stage, share of the MACs, time."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .cost import Cost

BLUE, ORANGE, GREY, INK = '#0072B2', '#D55E00', '#e4e4e4', '#222222'
LOWEST = 240  # pixels of a panel's height: below it the text is too small
SHORTEST = 480  # of a drawn picture's longer side


def with_panel(drawn: np.ndarray, cost: Cost) -> Image.Image:
    """A drawn picture, (H, W, 3) uint8 RGB, enlarged where it is small, and its panel."""
    picture = Image.fromarray(drawn)
    scale = SHORTEST / max(picture.size)
    if scale > 1:
        picture = picture.resize([round(side * scale) for side in picture.size])
    height = max(picture.height, LOWEST)
    panel = cost_panel(cost, height)
    whole = Image.new('RGB', (picture.width + panel.width, height), 'white')
    whole.paste(picture, (0, (height - picture.height) // 2))
    whole.paste(panel, (picture.width, 0))
    return whole


def cost_panel(cost: Cost, height: int) -> Image.Image:
    """Bars from top to bottom, as wide as 0.8 of the height, at most 420 pixels of it in use."""
    rows = len(cost.iterations) + 1
    width = round(min(height, 420) * 0.8)
    unit = min(min(height, 420) / (rows + 2.6), width / 6)  # of few bars it would outgrow the width
    panel = Image.new('RGB', (width, height), 'white')
    draw = ImageDraw.Draw(panel)
    left, right = round(unit * 0.4), panel.width - round(unit * 0.4)
    font, small = (ImageFont.load_default(unit * size) for size in (0.42, 0.36))
    top = (height - min(height, 420)) / 2 + unit * 0.3
    draw.text((left, top), 'Iterations', INK, font)
    top += unit * 0.75
    bars = [
        (f'stage {k}', f'{n:.3g} of {limit}', n / limit, BLUE)
        for k, (n, limit) in enumerate(zip(cost.iterations, cost.limits, strict=True), start=1)
    ]
    bars.append(('adaptive MACs', f'{cost.share:.0%} of full', cost.share, ORANGE))
    for name, value, share, colour in bars:
        draw.text((left, top), name, INK, small)
        draw.text((right, top), value, INK, small, anchor='ra')
        middle, bottom = top + unit * 0.46, top + unit * 0.72
        draw.rectangle((left, middle, right, bottom), GREY)
        draw.rectangle((left, middle, left + (right - left) * min(share, 1), bottom), colour)
        top += unit
    draw.text((left, top + unit * 0.1), f'{cost.ms:.0f} ms', INK, font)
    return panel


def caption(picture: Image.Image, text: str, size: float) -> Image.Image:
    """The picture with a line below it."""
    whole = Image.new('RGB', (picture.width, picture.height + round(size * 1.6)), 'white')
    whole.paste(picture, (0, 0))
    font = ImageFont.load_default(size)
    while text and font.getlength(text) > picture.width:
        text = text[:-2].rstrip('.') + '.'
    ImageDraw.Draw(whole).text((0, picture.height + size * 0.2), text, INK, font)
    return whole
