"""Label maps of segmented images as coloured pictures."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..log.schema import UNLABELLED, UNLABELLED_16
from .evaluation import Evaluation
from .image_files import inside, opened
from .pictures import MAX_SIDE, data_uri

IGNORED = UNLABELLED_16  # in maps as they are read here, whatever their files have
KINDS = {'true_map': 'true', 'predicted_map': 'predicted'}
LEGEND = 8  # classes named below a picture
Labels = NDArray[np.int64]


def label_maps(evaluation: Evaluation, i: int) -> dict[str, Labels]:
    """A record's ``true`` and ``predicted`` label map, longer side at most 320, (h, w) each.

    Maps that cannot be read, or that lie outside the evaluation's folder, are left out.
    """
    found = {kind: read_labels(path, MAX_SIDE) for kind, path in map_paths(evaluation, i).items()}
    return {kind: labels for kind, labels in found.items() if labels is not None}


def map_paths(evaluation: Evaluation, i: int) -> dict[str, Path]:
    """Where a record's label maps lie, as far as it names some of the evaluation's folder."""
    line = evaluation.predictions.line(i)
    found = {kind: inside(evaluation.folder, line.get(key)) for key, kind in KINDS.items()}
    return {kind: path for kind, path in found.items() if path is not None}


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
    """``maps`` (title, URI) and ``legend`` (name, colour) of a record; empty without maps."""
    maps = label_maps(evaluation, i)
    if not maps:
        return {}
    pictures = []
    for kind, labels in maps.items():
        picture = Image.fromarray(coloured(evaluation, labels)).quantize(256)
        pictures.append({'title': kind, 'uri': data_uri(picture, 'png', optimize=True)})
    return {'maps': pictures, 'legend': _legend(evaluation, list(maps.values()))}


def _legend(evaluation: Evaluation, maps: list[Labels]) -> list[dict[str, str]]:
    """The most frequent classes of both maps."""
    values, pixels = np.unique(np.concatenate([m.ravel() for m in maps]), return_counts=True)
    order = [int(values[n]) for n in np.argsort(-pixels, kind='stable') if values[n] != IGNORED]
    return [
        {
            'name': evaluation.class_name(n),
            'colour': '#{:02x}{:02x}{:02x}'.format(*colour_of(evaluation, n)),
        }
        for n in order[:LEGEND]
    ]


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
