"""Which images a scatter plot shows, and what the page says of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from .evaluation import Evaluation
from .measures import image_errors
from .pictures import ranking

MAX_POINTS = 3000  # of all evaluations; more slow a browser down and hide each other


def shown(evaluation: Evaluation, most: int = MAX_POINTS) -> list[int]:
    """Records that are drawn: all, or ``most`` spread evenly over the ranking by iterations."""
    ranked = ranking(evaluation)
    if len(ranked) <= most:
        return ranked
    chosen = np.linspace(0, len(ranked) - 1, most).round().astype(int)
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
        }
        found[i] |= pictures.get(i, {})
    return found
