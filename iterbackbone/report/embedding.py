"""Which images a page shows as points and pictures, how many fit, and what it says of each."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .evaluation import Evaluation
from .image_files import Folders, num_pixels
from .label_maps import embedded_maps, map_paths
from .measures import image_errors
from .pictures import class_ends, data_uri, image_path, overlays, ranking, thumbnail_of
from .style import GALLERY

MAX_POINTS = 3000  # of all evaluations; more slow a browser down and hide each other
QUALITY = 60
MAX_PIXELS = 4 * 10**9  # of one evaluation's images: decoding them takes about a minute


def embed(
    evaluation: Evaluation, image_root: Folders, score_threshold: float, max_bytes: int
) -> dict[int, dict[str, Any]]:
    """Pictures of records, until ``max_bytes`` of JSON are spent or ``MAX_PIXELS`` read.

    Each has a ``thumbnail`` (a URI), ``boxes`` to draw on it and, of a segmented image, its
    ``maps`` and their ``legend``.

    The easiest and hardest images come first, of each class and of all, then ever finer steps
    through the ranking.
    """
    found: dict[int, dict[str, Any]] = {}
    spent = pixels = 0
    easiest, hardest = class_ends(evaluation, GALLERY)
    for i in dict.fromkeys([*easiest, *hardest, *spread_out(ranking(evaluation))]):
        path = image_path(evaluation, i, image_root)
        if path is None:
            continue
        pixels += sum(map(num_pixels, [path, *map_paths(evaluation, i).values()]))
        if pixels > MAX_PIXELS:
            break
        picture = thumbnail_of(evaluation, i, path)
        if picture is None:
            continue
        entry = {
            'thumbnail': data_uri(picture, 'webp', quality=QUALITY, method=2),
            'boxes': overlays(evaluation, i, score_threshold),
            **embedded_maps(evaluation, i),
        }
        spent += len(json.dumps(entry))
        if spent > max_bytes:
            break
        found[i] = entry
    return found


def spread_out(ranked: list[int], ends: int = GALLERY) -> list[int]:
    """The same records, both ends first, then every 2^k-th of the others, k falling."""
    first = [i for pair in zip(ranked[:ends], ranked[::-1][:ends], strict=True) for i in pair]
    middle = ranked[ends:-ends]
    steps = [2**k for k in range(len(middle).bit_length(), -1, -1)]
    return list(dict.fromkeys([*first, *(i for step in steps for i in middle[::step])]))


def shown(evaluation: Evaluation, most: int = MAX_POINTS) -> list[int]:
    """Records that are drawn: all, or ``most`` spread evenly over the ranking by iterations."""
    ranked = ranking(evaluation)
    chosen = np.linspace(0, len(ranked) - 1, min(most, len(ranked))).round().astype(int)
    return [ranked[k] for k in chosen]


def details(
    evaluation: Evaluation, pictures: dict[int, dict[str, Any]], most: int
) -> dict[int, dict[str, Any]]:
    """What hovering and clicking show of each record: those drawn and those with a picture."""
    errors = image_errors(evaluation)
    found = {}
    for i in dict.fromkeys([*shown(evaluation, most), *pictures]):
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
