"""Thumbnails of the images a report shows, their boxes and their label maps."""

from __future__ import annotations

import base64
import colorsys
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from ..log.schema import UNLABELLED, UNLABELLED_16
from .evaluation import Evaluation
from .image_files import Folders, inside, opened

MAX_SIDE = 320
MAX_BOXES = 50
QUARTERS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
IGNORED = UNLABELLED_16  # in label maps as they are read here, whatever their files have
KINDS = {'true_map': 'true', 'predicted_map': 'predicted'}
LEGEND = 8  # classes named below a picture
Labels = NDArray[np.int64]


def evenly(ranked: list[int], most: int) -> list[int]:
    """All of them, or ``most`` spread evenly, both ends included."""
    chosen = np.linspace(0, len(ranked) - 1, min(most, len(ranked))).round().astype(int)
    return [ranked[k] for k in chosen]


def class_ends(evaluation: Evaluation, most: int) -> tuple[list[int], list[int]]:
    """Easiest and hardest record of each of the first ``most`` classes of classified images."""
    ends: dict[int, list[int]] = {}
    for i in evaluation.ranking:
        label = evaluation.records[i].get('label')
        if label is not None:
            ends[label] = [ends.get(label, [i])[0], i]
    chosen = sorted(ends)[:most]
    return [ends[label][0] for label in chosen], [ends[label][1] for label in chosen]


def image_path(evaluation: Evaluation, i: int, image_root: Folders) -> Path | None:
    """Where a record's image lies; relative paths are taken from the first ``image_root``.

    An image that is no file may have a picture in the evaluation's folder. None of others.
    """
    if path := evaluation.records[i].get('img_path'):
        return inside(image_root, path)
    return inside(evaluation.folder, evaluation.line(i).get('picture'))


def thumbnail(
    path: Path, size: tuple[Any, Any] = (None, None), exif_ignored: bool = False
) -> Image.Image | None:
    """The image as the network saw it, its longer side at most 320 px; None where it cannot be read.

    ``size`` is (width, height) as the network's pipeline read it, as far as it is known;
    ``exif_ignored``, whether that passed over the file's EXIF orientation.
    """
    try:
        with opened(path) as image:
            turned = _is_turned(image, size, exif_ignored)
            image.draft('RGB', (2 * MAX_SIDE, 2 * MAX_SIDE))
            picture = ImageOps.exif_transpose(image) if turned else image
            if picture.mode.startswith('I;16'):  # Pillow clips, OpenCV keeps the upper byte
                picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
            picture = picture.convert('RGB')
            picture.thumbnail((MAX_SIDE, MAX_SIDE))
            return picture
    except Exception:
        return None  # a missing, broken or enormous file must not cost the report


def thumbnail_of(evaluation: Evaluation, i: int, image_root: Folders) -> Image.Image | None:
    """The thumbnail of a record's image; None where it is not found, or cannot be read."""
    path, record = image_path(evaluation, i, image_root), evaluation.records[i]
    ignored = evaluation.line(i).get('exif_ignored') is True
    size = record.get('width'), record.get('height')
    return None if path is None else thumbnail(path, size, ignored)


def _is_turned(image: Image.Image, size: tuple[Any, Any], exif_ignored: bool) -> bool:
    """Of an image turned by a quarter the size tells, in logs without ``exif_ignored``, too."""
    quarter = image.getexif().get(ExifTags.Base.Orientation) in QUARTERS
    if quarter and image.width != image.height and size in (image.size, image.size[::-1]):
        return size != image.size
    return not exif_ignored


def data_uri(picture: Image.Image, kind: str, **options: Any) -> str:
    """The picture inside a URI, as 'webp' or 'png'; options are Pillow's."""
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return f'data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}'


def overlays(evaluation: Evaluation, i: int, score_threshold: float) -> dict[str, list[dict[str, Any]]]:
    """Boxes to draw on a record's image, as shares of its width and height.

    At most 50 of a kind; predicted ones from ``score_threshold`` on, highest score first.
    """
    height, width = (evaluation.records[i].get(side) for side in ('height', 'width'))
    if not height or not width:
        return {}
    found = {}
    for kind, boxes in evaluation.boxes(i).items():
        lowest = score_threshold if kind == 'predicted' else 0
        order = np.argsort(-boxes.scores, kind='stable')
        shares = np.clip(boxes.boxes / (width, height, width, height), 0, 1).round(4)
        found[kind] = [
            {
                'box': shares[n].tolist(),
                'label': evaluation.class_name(int(boxes.labels[n])),
                'score': round(float(boxes.scores[n]), 2),
            }
            for n in order[boxes.scores[order] >= lowest][:MAX_BOXES]
        ]
    return found


def label_maps(evaluation: Evaluation, i: int) -> dict[str, Labels]:
    """A record's ``true`` and ``predicted`` label map that can be read, longer side at most 320."""
    found = {kind: read_labels(path, MAX_SIDE) for kind, path in map_paths(evaluation, i).items()}
    return {kind: labels for kind, labels in found.items() if labels is not None}


def map_paths(evaluation: Evaluation, i: int) -> dict[str, Path]:
    """Where a record's label maps lie, as far as it names some of the evaluation's folder."""
    line = evaluation.line(i)
    found = {kind: inside(evaluation.folder, line.get(key)) for key, kind in KINDS.items()}
    return {kind: path for kind, path in found.items() if path is not None}


def read_labels(path: Path, max_side: int | None = None) -> Labels | None:
    """A label map, (H, W), reduced to a longer side of ``max_side``; None where it cannot be read.

    Pixels without a label are ``IGNORED``.
    """
    try:
        with opened(path, formats=('PNG',)) as image:
            if max_side is not None:
                image.thumbnail((max_side, max_side), Image.Resampling.NEAREST)
            pixels = np.asarray(image)
    except Exception:  # broken files raise errors of many types
        return None
    labels = pixels.astype(np.int64)
    if pixels.dtype.itemsize == 1:
        labels[labels == UNLABELLED] = IGNORED
    return labels if labels.ndim == 2 and labels.min(initial=0) >= 0 else None


def coloured(evaluation: Evaluation, labels: Labels) -> NDArray[np.uint8]:
    """(h, w, 3) in the data set's colours, or in evenly spread ones; ignored pixels black."""
    values, places = np.unique(labels, return_inverse=True)
    palette = np.array([colour_of(evaluation, int(value)) for value in values], dtype=np.uint8)
    palette[values == IGNORED] = 0
    return palette[places.reshape(labels.shape)]


def colour_of(evaluation: Evaluation, label: int) -> tuple[int, int, int]:
    """Red, green and blue of a class."""
    palette = evaluation.meta.get('palette') or []
    if 0 <= label < len(palette):
        red, green, blue = palette[label]
    else:  # the golden ratio spreads hues evenly whatever their number
        hue = colorsys.hsv_to_rgb((0.618034 * label) % 1, 0.65, 0.9)
        red, green, blue = (round(255 * c) for c in hue)
    return red, green, blue


def embedded_maps(evaluation: Evaluation, i: int) -> dict[str, Any]:
    """``maps`` (title, URI) of a record and the ``legend`` (name, colour) of their frequent classes."""
    maps = label_maps(evaluation, i)
    if not maps:
        return {}
    pictures = []
    for kind, labels in maps.items():
        picture = Image.fromarray(coloured(evaluation, labels)).quantize(256)
        pictures.append({'title': kind, 'uri': data_uri(picture, 'png', optimize=True)})
    values, pixels = np.unique(np.concatenate([*map(np.ravel, maps.values())]), return_counts=True)
    frequent = [int(n) for n in values[np.argsort(-pixels, kind='stable')] if n != IGNORED][:LEGEND]
    colours = ('#{:02x}{:02x}{:02x}'.format(*colour_of(evaluation, n)) for n in frequent)
    names = map(evaluation.class_name, frequent)
    legend = [{'name': name, 'colour': c} for name, c in zip(names, colours, strict=True)]
    return {'maps': pictures, 'legend': legend}
