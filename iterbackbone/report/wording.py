"""Statistics in words a person understands."""

from __future__ import annotations

from typing import Any

from ..stats.association import Association

STRENGTHS = ((0.1, 'very weakly'), (0.3, 'weakly'), (0.5, 'moderately'))  # after Cohen 1988, 3.2
SIGNIFICANT = 0.05


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


def error_sentence(summary: dict[str, Any]) -> str | None:
    """On the errors; None without errors, or where ``sentences`` says already why there is none."""
    words = (summary['error'] or {}).get('words')
    return None if words in summary['sentences'] else words


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
