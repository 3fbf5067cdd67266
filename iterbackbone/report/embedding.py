"""Which images a page shows as points and pictures, and what it says of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from .evaluation import Evaluation
from .image_files import Folders
from .label_maps import embedded_maps
from .measures import image_errors
from .pictures import class_ends, data_uri, evenly, image_path, overlays, ranking, thumbnail_of
from .style import GALLERY

MAX_POINTS = 3000  # of all evaluations; more slow a browser down and hide each other
MAX_PICTURES = 500  # likewise: with plotly's 5 MB and the points' text a page of about 15 MB
QUALITY = 60


def embed(
    evaluation: Evaluation, image_root: Folders, score_threshold: float, most: int
) -> dict[int, dict[str, Any]]:
    """Pictures of ``most`` records that have one, evenly over the ranking, and of the galleries'.

    Each has a ``thumbnail`` (a URI), ``boxes`` to draw on it and, of a segmented image, its
    ``maps`` and their ``legend``.
    """
    paths = {i: image_path(evaluation, i, image_root) for i in ranking(evaluation)}
    there = [i for i, path in paths.items() if path is not None and path.is_file()]
    easiest, hardest = class_ends(evaluation, GALLERY)
    ends = [*there[:GALLERY], *there[-GALLERY:], *easiest, *hardest]
    found = {}
    for i in dict.fromkeys([*ends, *evenly(there, most)]):
        picture = thumbnail_of(evaluation, i, image_root)
        if picture is not None:
            found[i] = {
                'thumbnail': data_uri(picture, 'webp', quality=QUALITY, method=2),
                'boxes': overlays(evaluation, i, score_threshold),
                **embedded_maps(evaluation, i),
            }
    return found


def details(
    evaluation: Evaluation, pictures: dict[int, dict[str, Any]], most: int
) -> dict[int, dict[str, Any]]:
    """What hovering and clicking show of each record: those drawn and those with a picture."""
    errors = image_errors(evaluation)
    found = {}
    for i in dict.fromkeys([*evenly(ranking(evaluation), most), *pictures]):
        record, wrong = evaluation.records[i], errors.values[i]
        found[i] = {
            'id': str(record.get('img_id')),
            'path': record.get('img_path'),
            'size': [record.get('width'), record.get('height')],
            'iterations': record['iterations'],
            'total': record['total_iterations'],
            'gmacs': record['macs'] / 1e9,
            'share': record['macs'] / record['macs_full'] if record['macs_full'] else None,
            'objects': record.get('num_objects'),
            'relative': record.get('mean_relative_area'),
            'outcome': evaluation.outcome(i),
            'error': None if errors.binary or not np.isfinite(wrong) else float(wrong),
            **pictures.get(i, {}),
        }
    return found
