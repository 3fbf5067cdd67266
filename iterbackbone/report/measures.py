"""What is looked at beside the iterations, and what it is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .evaluation import Column, Evaluation


class Measure(NamedTuple):
    """A numeric field of the records."""

    field: str  # its name there
    noun: str  # in a sentence
    label: str  # on axes and in tables
    more: str  # of an image with more of it, in a sentence: "images with ... take"
    log: bool  # whether it spans orders of magnitude and wants a logarithmic axis


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
USUAL_SCORES = ('pascal_voc/mAP', 'coco/bbox_mAP', 'mIoU', 'accuracy/top1')


class ImageErrors(NamedTuple):
    """How wrong each image's prediction is."""

    name: str  # of the error
    more: str  # as of :class:`Measure`
    values: Column  # (n,); NaN where an image has none
    binary: bool = False  # whether they are 0 and 1, and their mean a rate


def present(evaluation: Evaluation) -> list[Measure]:
    """Measures of which at least one image has a value."""
    return [m for m in MEASURES if np.isfinite(evaluation.column(m.field)).any()]


def main_score(scores: Sequence[Mapping[str, Any]]) -> str | None:
    """A score that all evaluations have, rather a usual one; None if there is none."""
    shared = [name for name in scores[0] if all(name in each for each in scores)]
    return next((name for name in (*USUAL_SCORES, *shared) if name in shared), None)


def error_title(summaries: list[dict[str, Any]]) -> str:
    """What the errors of several evaluations are called."""
    return ' or '.join(dict.fromkeys(s['error']['name'] for s in summaries if s['error']))


def image_errors(evaluation: Evaluation) -> ImageErrors:
    """The task's error of each image."""
    task = evaluation.meta.get('task')
    if task == 'classification':
        wrong = 1 - evaluation.column('correct')
        return ImageErrors('error rate', 'a wrong prediction', wrong, binary=True)
    if task == 'segmentation':
        return ImageErrors('1 - mIoU of the image', 'a larger error', 1 - evaluation.column('miou'))
    return ImageErrors('1 - AP50 of the image', 'a larger error', evaluation.predictions.errors)
