"""Whether several evaluations were scored against the same annotations."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..stats.detection_error import Boxes
from .aligned_runs import AlignedRuns

FIELDS = ('label', 'num_objects', 'num_classes')  # of a record, which come from the annotations
TOLERANCE = 1.0  # pixels; boxes are rounded, and brought back from the network's image


def check_same(runs: AlignedRuns, same: Iterable[bool]) -> None:
    """Raise ValueError unless all runs have the first run's annotations.

    ``same`` says it of each pair of ``runs.images()``.
    """
    for (run, i), agrees in zip(runs.images(), same, strict=True):
        if not agrees:
            evaluation, first = runs.evaluations[run], runs.evaluations[0]
            raise ValueError(
                f'{evaluation.folder} and {first.folder} must have the same annotations, but those of '
                f'image {evaluation.records[i].get("img_id")!r} differ'
            )


def check_same_fields(runs: AlignedRuns) -> None:
    """:func:`check_same` of the records' fields, as far as both runs know them."""
    for field in FIELDS:
        values = runs.column(field)
        unknown = np.isnan(values) | np.isnan(values[0])
        check_same(runs, (unknown | (values == values[0])).ravel())


def same_boxes(one: dict[str, Boxes], other: dict[str, Boxes]) -> bool:
    """Whether two lines have the same true and difficult boxes, in the same order."""
    nothing = Boxes(np.zeros((0, 4)), np.zeros(0, dtype=np.int64), np.zeros(0))
    for kind in ('true', 'difficult'):
        a, b = one.get(kind, nothing), other.get(kind, nothing)
        if not np.array_equal(a.labels, b.labels) or (np.abs(a.boxes - b.boxes) > TOLERANCE).any():
            return False
    return True
