"""Which pictures go into the page, and how many fit."""

from __future__ import annotations

import json
from typing import Any

from .evaluation import Evaluation
from .image_files import Folders, num_pixels
from .label_maps import embedded_maps, map_paths
from .pictures import class_ends, data_uri, image_path, overlays, ranking, thumbnail_of
from .style import GALLERY

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
            'thumbnail': data_uri(picture),
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
