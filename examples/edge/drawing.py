"""Results as text and as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from session import Result

SHOWN = 3  # classes or boxes in a line of text
OPACITY = 0.55


def words(result: Result, about: dict[str, Any], score_thr: float) -> str:
    """The result in a few words."""
    values = result.values
    if about['task'] == 'classification':
        scores = values['scores'][0]
        best = scores.argsort()[::-1][:SHOWN]
        return ', '.join(f'{_name(about, k)} {scores[k]:.0%}' for k in best)
    if about['task'] == 'segmentation':
        labels, pixels = np.unique(values['label_map'], return_counts=True)
        best = pixels.argsort()[::-1][:SHOWN]
        share = pixels / pixels.sum()
        return ', '.join(f'{_name(about, labels[k])} {share[k]:.0%}' for k in best)
    if about['task'] == 'detection':
        kept = _kept(values, score_thr)
        named = [f'{_name(about, label)} {score:.2f}' for _, score, label in kept[:SHOWN]]
        return f'{len(kept)} boxes: ' + ', '.join(named) if kept else 'no box'
    return ', '.join(f'{name} {value.shape}' for name, value in values.items())


def draw(
    image: np.ndarray, result: Result, about: dict[str, Any], score_thr: float, path: Path
) -> None:
    """Write the image with its boxes, label map or class on it.

    Args:
        image: (H, W, 3) uint8 in RGB.
        result: Of it.
        about: What the file says of itself.
        score_thr: Lowest score of a box that is drawn.
        path: Of the PNG file.
    """
    picture = Image.fromarray(image)
    if about['task'] == 'segmentation':
        labels = Image.fromarray(result.values['label_map'][0].astype(np.uint8))
        labels = labels.resize(picture.size, Image.NEAREST)
        colours = np.array(about['palette'] or _colours(256), dtype=np.uint8)
        colours = colours[np.asarray(labels) % len(colours)]
        picture = Image.blend(picture, Image.fromarray(colours), OPACITY)
    pen = ImageDraw.Draw(picture)
    if about['task'] == 'detection':
        scale = np.array([image.shape[1] / result.size[1], image.shape[0] / result.size[0]] * 2)
        for box, score, label in _kept(result.values, score_thr):
            colour = tuple(_colours(256)[int(label) % 256])
            corners = _corners(box * scale, picture.size)
            pen.rectangle(corners, outline=colour, width=3)
            _write(pen, corners[:2], f'{_name(about, label)} {score:.2f}')
    caption = f'{" ".join(map(str, result.iterations))} iterations, {result.milliseconds:.0f} ms'
    if about['task'] == 'classification':
        picture = _with_caption(picture, f'{words(result, about, score_thr)}; {caption}')
    else:
        _write(pen, (2, 2), caption)
    picture.save(path)


def _with_caption(picture: Image.Image, text: str) -> Image.Image:
    """With a strip below that the text fits in: small images would vanish behind it."""
    left, top, right, bottom = ImageDraw.Draw(picture).textbbox((2, 2), text)
    size = max(picture.width, int(right + left)), picture.height + int(bottom + top)
    canvas = Image.new('RGB', size)
    canvas.paste(picture, (0, 0))
    ImageDraw.Draw(canvas).text((2, picture.height + 2), text, fill='white')
    return canvas


def _write(pen: ImageDraw.ImageDraw, corner: Any, text: str) -> None:
    pen.rectangle(pen.textbbox(corner, text), fill='black')
    pen.text(corner, text, fill='white')


def _kept(values: dict[str, np.ndarray], score_thr: float) -> list[tuple[np.ndarray, float, int]]:
    boxes = zip(values['boxes'], values['scores'], values['labels'], strict=True)
    return sorted((b for b in boxes if b[1] >= score_thr), key=lambda b: -b[1])


def _corners(box: np.ndarray, size: tuple[int, int]) -> list[float]:
    """Left, top, right and bottom in a picture of that size."""
    x, y = np.sort(np.nan_to_num(box).reshape(2, 2), axis=0).clip(0, size).T.tolist()
    return [x[0], y[0], x[1], y[1]]


def _name(about: dict[str, Any], label: int) -> str:
    classes = about['classes']
    return classes[label] if classes and label < len(classes) else str(label)


def _colours(count: int) -> list[list[int]]:
    """Distinct colours, the same on every run."""
    return np.random.default_rng(3).integers(40, 256, (count, 3)).tolist()
