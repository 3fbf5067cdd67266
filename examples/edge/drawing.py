"""Results as text and as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from session import Result

SHOWN = 3  # classes or boxes in a line of text
OPACITY = 0.55
COLOURS = np.random.default_rng(3).integers(40, 256, (256, 3)).tolist()  # the same on every run


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
        named = [f'{_name(about, values["labels"][k])} {values["scores"][k]:.2f}' for k in kept]
        found = f'{len(kept)} boxes: ' + ', '.join(named[:SHOWN]) if named else 'no box'
        regions = values.get('roi_iterations', ())
        return f'{found}; {len(regions)} regions, mean {regions.mean():.2f}' if len(regions) else found
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
        colours = np.array(about['palette'] or COLOURS, dtype=np.uint8)
        colours = colours[np.asarray(labels, dtype=int) % len(colours)]
        picture = Image.blend(picture, Image.fromarray(colours), OPACITY)
    pen = ImageDraw.Draw(picture)
    if about['task'] == 'detection':
        scale = np.array([image.shape[1] / result.size[1], image.shape[0] / result.size[0]] * 2)
        boxes, scores, labels = (result.values[name] for name in ('boxes', 'scores', 'labels'))
        for k in _kept(result.values, score_thr):
            colour = tuple(COLOURS[int(labels[k]) % len(COLOURS)])
            corners = _corners(boxes[k] * scale, picture.size)
            if about.get('mask_threshold') is not None:
                _paint(picture, result.values['masks'][k], about['mask_threshold'], corners, colour)
            pen.rectangle(corners, outline=colour, width=3)
            _write(pen, corners[:2], f'{_name(about, labels[k])} {scores[k]:.2f}')
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


def _paint(
    picture: Image.Image, grid: np.ndarray, threshold: float, corners: list[float], colour: Any
) -> None:
    """Colour the pixels of a box that are likely enough by the grid over it."""
    left, top, right, bottom = box = tuple(map(round, corners))
    if 0 in grid.shape or left == right or top == bottom:
        return
    size = right - left, bottom - top
    likely = Image.fromarray(grid.astype(np.float32)).resize(size, Image.BILINEAR)
    cover = (np.asarray(likely) >= threshold) * 255 * OPACITY
    picture.paste(colour, box, Image.fromarray(cover.astype(np.uint8)))


def _kept(values: dict[str, np.ndarray], score_thr: float) -> list[int]:
    """Boxes with at least that score, best first."""
    return [k for k in np.argsort(-values['scores']) if values['scores'][k] >= score_thr]


def _corners(box: np.ndarray, size: tuple[int, int]) -> list[float]:
    """Left, top, right and bottom in a picture of that size."""
    x, y = np.sort(np.nan_to_num(box).reshape(2, 2), axis=0).clip(0, size).T.tolist()
    return [x[0], y[0], x[1], y[1]]


def _name(about: dict[str, Any], label: int) -> str:
    classes = about['classes']
    return classes[label] if classes and label < len(classes) else str(label)
