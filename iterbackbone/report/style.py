"""What interactive charts and printed figures share."""

from __future__ import annotations

import html

import numpy as np

from ..text import printable
from .evaluation import Column, brief

MIN_IMAGES = 5  # of a bin whose mean gets an interval
GREY = '#7a8793'  # of what is no run
# Okabe & Ito's palette, apart also for colour-blind readers, with Tol's wine for its pale yellow.
# A menu may have as many budgets.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000', '#882255')
# Of points and means; runs differ in print without colour, too. Plotly's and matplotlib's names.
SYMBOLS = {
    'circle': 'o',
    'square': 's',
    'diamond': 'D',
    'triangle-up': '^',
    'triangle-down': 'v',
    'cross': 'P',
    'x': 'X',
    'star': '*',
}

LAYOUT = dict(
    template='plotly_white',
    margin=dict(l=60, r=20, t=70, b=50),
    legend=dict(orientation='h', y=1.02, yanchor='bottom', x=0),
    hovermode='closest',
    font=dict(family='system-ui, sans-serif', size=13),
)


def colour(i: int) -> str:
    """Of the i-th evaluation."""
    return COLOURS[i % len(COLOURS)]


def symbol(i: int) -> str:
    """Of the means of the i-th evaluation."""
    return list(SYMBOLS)[(i + 1) % len(SYMBOLS)]


def jittered(values: Column, seed: int) -> Column:
    """Whole numbers moved by up to 0.2, so that equal points do not hide each other."""
    finite = values[np.isfinite(values)]
    if not (finite == np.rint(finite)).all():
        return values
    return values + np.random.default_rng(seed).uniform(-0.2, 0.2, len(values))


def safe(text: str) -> str:
    """Plotly reads markup in names, and shows quotation marks as they are."""
    return html.escape(text, quote=False)


def literal(text: str) -> str:
    """One short line of a figure, of which matplotlib reads nothing as mathematics or as hidden."""
    line = brief(printable(text), 110)
    return (' ' if line.startswith('_') else '') + line.replace('$', r'\$')
