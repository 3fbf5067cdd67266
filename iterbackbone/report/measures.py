"""What is looked at beside the iterations, and how it is said in words a person understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..stats.association import Association
from .evaluation import Evaluation


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
# What a task's errors are called, and what an image with a larger one has, as in Measure.more.
ERRORS = {
    'classification': ('error rate', 'a wrong prediction'),
    'segmentation': ('1 - mIoU of the image', 'a larger error'),
}
BOX_ERROR = ('1 - AP50 of the image', 'a larger error')
USUAL_SCORES = ('pascal_voc/mAP', 'coco/bbox_mAP', 'mIoU', 'accuracy/top1')
STRENGTHS = ((0.1, 'very weakly'), (0.3, 'weakly'), (0.5, 'moderately'))  # after Cohen 1988, 3.2
SIGNIFICANT = 0.05


def present(evaluation: Evaluation) -> list[Measure]:
    """Measures of which at least one image has a value."""
    return [m for m in MEASURES if np.isfinite(evaluation.column(m.field)).any()]


def main_score(scores: Sequence[Mapping[str, Any]]) -> str | None:
    """A score that all evaluations have, rather a usual one; None if there is none."""
    shared = [name for name in scores[0] if all(name in each for each in scores)]
    return next((name for name in (*USUAL_SCORES, *shared) if name in shared), None)


def in_words(association: Association, more: str) -> str:
    """A sentence on a measure's correlation with the iterations.

    ``more`` is what an image with more of the measure has, such as ``'more objects'``.
    """
    rho, low, high = association.coefficient, association.low, association.high
    if rho is None:
        return f'No correlation can be computed: {association.note}.'
    numbers = in_numbers(association)
    if low is None or high is None:
        what = more.rstrip(',')
        return f'Too little to tell about images with {what}: {association.note} ({numbers}).'
    if low <= 0 <= high or (association.p_value or 0) >= SIGNIFICANT:
        return (
            f'No relation is shown: images with {more} take neither clearly more nor clearly fewer '
            f'iterations ({numbers}).'
        )
    strength = next((word for bound, word in STRENGTHS if abs(rho) < bound), 'strongly')
    way = 'more' if rho > 0 else 'fewer'
    return f'Images with {more} tend to take {way} iterations, {strength} so ({numbers}).'


def sentences(associations: list[dict[str, Any]], partial: list[dict[str, Any]]) -> list[str]:
    """What a summary's correlations say; why some cannot be computed stands in one sentence.

    A partial correlation that lacks what a plain one lacks is not mentioned.
    """
    said = [e['words'] for e in [*associations, *partial] if e['spearman']['coefficient'] is not None]
    plain, given = (
        dict.fromkeys(e['spearman']['note'] for e in entries if e['spearman']['coefficient'] is None)
        for entries in (associations, partial)
    )
    lacking = '; '.join(plain or given)
    return said + ([f'No correlation can be computed: {lacking}.'] if lacking else [])


def error_sentence(summary: dict[str, Any]) -> str | None:
    """On the errors; None without errors, or where ``sentences`` says already why there is none."""
    error = summary['error']
    if error is None:
        return None
    note = error['spearman']['note'] if error['spearman']['coefficient'] is None else None
    return None if note and any(note in said for said in summary['sentences']) else error['words']


def in_numbers(association: Association) -> str:
    """Such as ``rho +0.31, 95% interval +0.22 to +0.40, p = 0.0005, 500 images``."""
    parts = [f'rho {association.coefficient:+.2f}']
    if association.low is not None:
        parts.append(f'95% interval {association.low:+.2f} to {association.high:+.2f}')
    if association.p_value is not None:
        parts.append(f'p {probability(association.p_value)}')
    return ', '.join([*parts, f'{association.num_images} images'])


def short(association: Association) -> str:
    """Such as ``+0.31 [+0.22, +0.40]`` for one line of a log."""
    if association.coefficient is None:
        return f'undefined ({association.note})'
    if association.low is None:
        return f'{association.coefficient:+.2f}'
    return f'{association.coefficient:+.2f} [{association.low:+.2f}, {association.high:+.2f}]'


def probability(p_value: float) -> str:
    """Such as ``= 0.03``; very small ones only by their bound."""
    return f'= {p_value:.2g}' if p_value >= 1e-4 else '< 0.0001'
