"""Correlations in words."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from iterbackbone.report.measures import in_numbers, in_words, probability, sentences, short
from iterbackbone.stats.association import Association


def association(coefficient, low, high, p_value=0.01, note=None):
    return Association(500, coefficient, low, high, p_value, 'bootstrap', note)


@pytest.mark.parametrize(
    ('values', 'start'),
    [
        (
            (0.31, 0.22, 0.40),
            'Images with more objects tend to take more iterations, moderately so (rho',
        ),
        ((-0.27, -0.4, -0.1), 'Images with more objects tend to take fewer iterations, weakly so (rho'),
        ((0.8, 0.7, 0.9), 'Images with more objects tend to take more iterations, strongly so'),
        ((0.05, 0.01, 0.09), 'Images with more objects tend to take more iterations, very weakly so'),
        (
            (0.05, -0.03, 0.12),
            'No relation is shown: images with more objects take neither clearly more',
        ),
        ((0.0, 0.0, 0.0), 'No relation is shown'),
        ((0.04, 0.03, 0.07, 0.7), 'No relation is shown'),  # the interval is of few images
        ((0.9, None, None, 0.01, 'no interval: only 3 differ'), 'Too little to tell about images with'),
    ],
)
def test_sentences(values, start):
    assert in_words(association(*values), 'more objects').startswith(start)


def test_a_condition_ends_without_its_comma():
    few = association(0.9, None, None, 0.01, 'no interval: only 3 differ')
    said = in_words(few, 'more objects, at an equal size,')
    assert said.startswith('Too little to tell about images with more objects, at an equal size: no')


def test_an_undefined_one_says_why():
    undefined = association(None, None, None, None, note='every image has the same iterations')
    assert in_words(undefined, 'x') == (
        'No correlation can be computed: every image has the same iterations.'
    )
    assert short(undefined) == 'undefined (every image has the same iterations)'


def entry(note, words='said'):
    found = asdict(association(0.3 if note is None else None, None, None, note=note))
    return {'spearman': found, 'words': words if note is None else 'No correlation can be computed'}


@pytest.mark.parametrize(
    ('notes', 'said'),
    [
        ((['equal'] * 3, ['equal'] * 2), ['No correlation can be computed: equal.']),
        ((['few', 'equal'], ['fewer']), ['No correlation can be computed: few; equal.']),
        (([None, 'equal'], [None]), ['said', 'said', 'No correlation can be computed: equal.']),
        (([None], ['fewer']), ['said', 'No correlation can be computed: fewer.']),
        (([], []), []),
    ],
)
def test_why_nothing_can_be_computed_is_said_once(notes, said):
    assert sentences(*([entry(note) for note in kind] for kind in notes)) == said


def test_numbers():
    found = association(0.314, 0.22, 0.4, 0.0005)
    assert in_numbers(found) == 'rho +0.31, 95% interval +0.22 to +0.40, p = 0.0005, 500 images'
    assert short(found) == '+0.31 [+0.22, +0.40]'
    assert short(association(0.31, None, None)) == '+0.31'


@pytest.mark.parametrize(('p', 'text'), [(0.0312, '= 0.031'), (1e-4, '= 0.0001'), (1e-9, '< 0.0001')])
def test_probabilities(p, text):
    assert probability(p) == text
