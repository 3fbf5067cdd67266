"""Label maps of segmented images as coloured pictures."""

from __future__ import annotations

import base64
import colorsys
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .evaluation import Evaluation
from .pictures import MAX_SIDE

IGNORED = 255
KINDS = {'true_map': 'true', 'predicted_map': 'predicted'}
LEGEND = 8  # classes named below a picture
Labels = NDArray[np.int64]


def label_maps(evaluation: Evaluation, i: int) -> dict[str, Labels]:
    """A record's ``true`` and ``predicted`` label map, longer side at most 320, (h, w) each.

    Maps that cannot be read, or that lie outside the evaluation's folder, are left out.
    """
    line = evaluation.predictions.line(i)
    found = {}
    for key, kind in KINDS.items():
        labels = _read(evaluation.folder, line.get(key))
        if labels is not None:
            found[kind] = labels
    return found


def coloured(evaluation: Evaluation, labels: Labels) -> NDArray[np.uint8]:
    """(h, w, 3) in the data set's colours, or in evenly spread ones; ignored pixels black."""
    known = labels != IGNORED
    palette = colours(evaluation, int(labels[known].max(initial=0)) + 1)
    return np.where(known[..., None], palette[np.where(known, labels, 0)], 0).astype(np.uint8)


def colours(evaluation: Evaluation, count: int) -> NDArray[np.uint8]:
    """At least ``count`` colours by label, (n, 3)."""
    palette = evaluation.meta.get('palette')
    try:
        given = np.asarray(palette or [], dtype=np.int64).reshape(-1, 3).clip(0, 255)
    except (TypeError, ValueError, OverflowError):
        given = np.zeros((0, 3), dtype=np.int64)
    # The golden ratio spreads hues evenly whatever their number.
    hues = [(0.618034 * n) % 1 for n in range(len(given), count)]
    made = [[round(255 * c) for c in colorsys.hsv_to_rgb(hue, 0.65, 0.9)] for hue in hues]
    return np.concatenate([given, np.array(made, dtype=np.int64).reshape(-1, 3)]).astype(np.uint8)


def embedded_maps(evaluation: Evaluation, i: int) -> dict[str, Any]:
    """``maps`` (title, URI) and ``legend`` (name, colour) of a record; empty without maps."""
    maps = label_maps(evaluation, i)
    if not maps:
        return {}
    pictures = [
        {'title': kind, 'uri': _uri(coloured(evaluation, labels))} for kind, labels in maps.items()
    ]
    return {'maps': pictures, 'legend': _legend(evaluation, list(maps.values()))}


def _legend(evaluation: Evaluation, maps: list[Labels]) -> list[dict[str, str]]:
    """The most frequent classes of both maps."""
    values, pixels = np.unique(np.concatenate([m.ravel() for m in maps]), return_counts=True)
    order = [int(values[n]) for n in np.argsort(-pixels, kind='stable') if values[n] != IGNORED]
    palette = colours(evaluation, max(order, default=0) + 1)
    names = evaluation.classes
    return [
        {
            'name': names[n] if n < len(names) else str(n),
            'colour': '#{:02x}{:02x}{:02x}'.format(*palette[n]),
        }
        for n in order[:LEGEND]
    ]


def _read(folder: Path, name: Any) -> Labels | None:
    if not isinstance(name, str):
        return None
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        return None
    try:
        with Image.open(path) as image:
            image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.NEAREST)
            labels = np.asarray(image).astype(np.int64)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return labels if labels.ndim == 2 else None


def _uri(pixels: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).quantize(256).save(buffer, format='png', optimize=True)
    return 'data:image/png;base64,' + base64.b64encode(buffer.getvalue()).decode()
