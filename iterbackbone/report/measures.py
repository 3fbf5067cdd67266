"""What is looked at beside the iterations, and what it is called."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .evaluation import Column, Evaluation


class Measure(NamedTuple):
    """A numeric field of the records.

    Attributes:
        field: Its name there.
        noun: In a sentence.
        label: On axes and in tables.
        more: Of an image with more of it, in a sentence: "images with ... take".
        log: Whether it spans orders of magnitude and wants a logarithmic axis.
    """

    field: str
    noun: str
    label: str
    more: str
    log: bool


COUNT = Measure('num_objects', 'number of objects', 'number of objects', 'more objects', False)
SIZE = Measure(
    'mean_relative_area', 'object size', 'mean object size, share of the image', 'larger objects', True
)
MEASURES = (
    COUNT,
    SIZE,
    Measure(
        'mean_object_area',
        'object area',
        'mean object area, pixels',
        'larger objects (in pixels)',
        True,
    ),
    Measure('num_classes', 'number of classes', 'number of classes', 'more classes', False),
    Measure('boundary_fraction', 'boundary', 'boundary, share of the pixels', 'more boundary', False),
)

_ERRORS = {'segmentation': ('miou', '1 - mIoU of the image')}


def present(evaluation: Evaluation) -> list[Measure]:
    """Measures of which at least one image has a value."""
    return [m for m in MEASURES if np.isfinite(evaluation.column(m.field)).any()]


def error_title(summaries: list[dict[str, Any]]) -> str:
    """What the errors of several evaluations are called."""
    return ' or '.join(dict.fromkeys(s['error']['name'] for s in summaries if s['error']))


def image_errors(evaluation: Evaluation) -> tuple[str, Column]:
    """How wrong each image's prediction is: the name of that error and its values, (n,).

    NaN where an image has none.
    """
    task = str(evaluation.meta.get('task'))
    if task in _ERRORS:
        field, name = _ERRORS[task]
        return name, 1 - evaluation.column(field)
    values = [np.nan if e is None else e for e in evaluation.predictions.errors]
    return '1 - AP50 of the image', np.array(values, dtype=np.float64)
