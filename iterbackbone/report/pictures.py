"""Thumbnails of the images a report shows, and what is drawn on them."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ..stats.detection_error import Boxes
from .evaluation import Evaluation

MAX_SIDE = 320
MAX_BOXES = 50
QUALITY = 60
# What Pillow's decoders raise on files that are missing, broken or enormous.
UNREADABLE = (OSError, ValueError, SyntaxError, RuntimeError, Image.DecompressionBombError)


def ranking(evaluation: Evaluation) -> list[int]:
    """Records from easiest to hardest: by iterations, then by ponder cost."""
    keys = (evaluation.column('ponder_cost'), evaluation.column('total_iterations'))
    return np.lexsort(keys).tolist()


def thumbnail(path: Path) -> Image.Image | None:
    """The image with its longer side at most 320 px; None where it cannot be read."""
    try:
        with Image.open(path) as image:
            image.draft('RGB', (2 * MAX_SIDE, 2 * MAX_SIDE))
            picture = ImageOps.exif_transpose(image).convert('RGB')
            picture.thumbnail((MAX_SIDE, MAX_SIDE))
            return picture
    except UNREADABLE:
        return None  # a missing, broken or enormous file must not cost the report


def data_uri(picture: Image.Image) -> str:
    """The picture as WebP inside a URI."""
    buffer = io.BytesIO()
    picture.save(buffer, format='webp', quality=QUALITY, method=2)
    return 'data:image/webp;base64,' + base64.b64encode(buffer.getvalue()).decode()


def image_path(evaluation: Evaluation, i: int, image_root: Path) -> Path | None:
    """Where a record's image lies; relative paths are taken from ``image_root``."""
    path = evaluation.records[i].get('img_path')
    return image_root / path if path else None


def overlays(evaluation: Evaluation, i: int, score_threshold: float) -> dict[str, list[dict[str, Any]]]:
    """Boxes to draw on a record's image, as shares of its width and height.

    At most 50 of a kind; predicted ones from ``score_threshold`` on, highest score first.
    """
    height, width = (evaluation.records[i].get(side) for side in ('height', 'width'))
    if not height or not width:
        return {}
    return {
        kind: _drawn(
            boxes, (width, height), evaluation.classes, score_threshold if kind == 'predicted' else 0
        )
        for kind, boxes in evaluation.predictions.boxes(i).items()
    }


def _drawn(
    boxes: Boxes, size: tuple[int, int], classes: list[str], score_threshold: float
) -> list[dict[str, Any]]:
    order = np.argsort(-boxes.scores, kind='stable')
    chosen = [n for n in order if boxes.scores[n] >= score_threshold][:MAX_BOXES]
    shares = np.clip(boxes.boxes / np.tile(size, 2), 0, 1).round(4)
    return [
        {
            'box': shares[n].tolist(),
            'label': _name(classes, int(boxes.labels[n])),
            'score': round(float(boxes.scores[n]), 2),
        }
        for n in chosen
    ]


def _name(classes: list[str], label: int) -> str:
    return classes[label] if 0 <= label < len(classes) else str(label)
