"""Statistics in words a person understands."""

from __future__ import annotations

from typing import Any

from ..stats.association import Association
from ..stats.resampling import PERMUTATIONS

STRENGTHS = ((0.1, 'very weakly'), (0.3, 'weakly'), (0.5, 'moderately'))  # after Cohen 1988, 3.2
SIGNIFICANT = 0.05
LEAST_PERMUTED = 2 / (PERMUTATIONS + 1)  # a permutation test gives no less


def in_words(association: Association, more: str) -> str:
    """A sentence on a correlation with the iterations.

    Args:
        association: Of a measure and the iterations.
        more: What an image with more of the measure has, such as ``'more objects'``.
    """
    rho = association.coefficient
    if rho is None:
        return f'No correlation can be computed: {association.note}.'
    low, high = association.low, association.high
    if low is None or high is None:
        numbers = in_numbers(association)
        what = more.rstrip(',')
        return f'Too little to tell about images with {what}: {association.note} ({numbers}).'
    if low <= 0 <= high or (association.p_value or 0) >= SIGNIFICANT:
        return (
            f'No relation is shown: images with {more} take neither clearly more nor clearly fewer '
            f'iterations ({in_numbers(association)}).'
        )
    strength = next((word for bound, word in STRENGTHS if abs(rho) < bound), 'strongly')
    way = 'more' if rho > 0 else 'fewer'
    return (
        f'Images with {more} tend to take {way} iterations, {strength} so ({in_numbers(association)}).'
    )


def sentences(associations: list[dict[str, Any]], partial: list[dict[str, Any]]) -> list[str]:
    """What a summary's correlations say; why some cannot be computed stands in one sentence.

    A partial correlation that lacks what a plain one lacks is not mentioned.
    """
    said = [e['words'] for e in [*associations, *partial] if e['spearman']['coefficient'] is not None]
    notes = [
        dict.fromkeys(e['spearman']['note'] for e in entries if e['spearman']['coefficient'] is None)
        for entries in (associations, partial)
    ]
    lacking = notes[0] or notes[1]
    return said + ([f'No correlation can be computed: {"; ".join(lacking)}.'] if lacking else [])


def error_sentence(summary: dict[str, Any]) -> str | None:
    """On the errors; None without errors, or where ``sentences`` says already why there is none."""
    error = summary['error']
    if error is None:
        return None
    note = error['spearman']['note'] if error['spearman']['coefficient'] is None else None
    return None if note and any(note in said for said in summary['sentences']) else error['words']


def in_numbers(association: Association) -> str:
    """Such as ``rho +0.31, 95% interval +0.22 to +0.40, p = 0.0005, 500 images``."""
    if association.coefficient is None:
        return f'rho undefined: {association.note}'
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
    if abs(p_value - LEAST_PERMUTED) < 1e-9:
        return f'<= {LEAST_PERMUTED:g}'
    return f'= {p_value:.2g}' if p_value >= 1e-4 else '< 0.0001'
