"""Whether adapting pays, in a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from iterbackbone.stats.gain import Gain, gain
from iterbackbone.stats.gain_verdict import pays, target_of, verdict
from iterbackbone.stats.shuffled_depths import Shuffled
from tests.support.planted_policies import COSTS, POLICIES, VERTICES, sample


def found(share=0.5, value=0.5, p=0.001, dominated=False, sources=500, half=0.2) -> Gain:
    shuffled = None if p is None else Shuffled(0.4, 0.2, 0.6, p, 60, 59.8, 60.2, 60.5, 5e9, 1000)
    interval = (value - half, value + half)
    rest = (60.5, 60.5 - value, (0, 1), 0.5, dominated, 500, sources, shuffled)
    return Gain(value, *interval, 0.0001, share * 1e10, share, *rest)


GOOD = [found(0.38), found(0.5, 0.3), found(0.62, -0.4)]


@pytest.mark.parametrize(
    ('share', 'target'), [(0.3, 0.35), (0.4, 0.35), (0.45, 0.5), (0.7, 0.65), (0.42, None), (1, None)]
)
def test_target_of(share, target):
    assert target_of(found(share)) == target


def test_yes():
    assert verdict([GOOD] * 3) == (
        'Yes, adapting pays: at 2 of the shares 35%, 50%, 65% of the MACs or more each of 3 seeds '
        'gains at least +0.30 points over the best mixture of two static budgets, and over its own '
        'depths on other images.'
    )


@pytest.mark.parametrize(
    ('seeds', 'reason'),
    [
        (
            [[found(value=0.1)]],
            'about as much as the best mixture of two static budgets (gain +0.10 points',
        ),
        ([[found(value=-0.3)]], 'at 50% of the MACs the policy scores less than the best mixture'),
        (
            [[found(value=-0.3), found(0.4, -0.1)]],
            'at best, at 40% of the MACs the policy scores about as',
        ),
        ([[found(dominated=True)]], 'more than the best mixture'),
        ([[found(p=0.2)]], 'not clearly more than its own depths on other images (p = 0.200)'),
        ([[found(), found(0.35, 0)]], 'but the seed gains at fewer than 2 of the shares 35%, 50%, 65%'),
        (
            [GOOD, GOOD, [found(), found(0.35, 0)]],
            'but 1 of 3 seeds gains at fewer than 2 of the shares',
        ),
        (
            [GOOD, *[[found(), found(0.35, 0)]] * 2],
            'but 2 of 3 seeds gain at fewer than 2 of the shares',
        ),
    ],
)
def test_no(seeds, reason):
    sentence = verdict(seeds)
    assert sentence.startswith('No, adapting does not pay')
    assert reason in sentence


@pytest.mark.parametrize(
    ('seeds', 'reason'),
    [
        ([[found()]], 'but gains at 2 of the shares 35%, 50%, 65% of the MACs are required.'),
        ([[found(), found(0.42)]], '65% of the MACs are required.'),
        ([GOOD], 'but 3 seeds are required, 1 measured.'),
        ([[found(p=None), found(0.4)]], 'but its depths on other images were not measured.'),
        ([[found(sources=9), found(0.4)]] * 3, 'but 30 source images are required, 9 were measured.'),
    ],
)
def test_not_shown(seeds, reason):
    sentence = verdict(seeds)
    assert sentence.startswith('Not shown: ')
    assert sentence.endswith(reason)


WIDE = 'but the interval is too wide: more images are required.'


@pytest.mark.parametrize(
    ('seeds', 'unit', 'reason'),
    [
        ([[found(value=5.9, half=6.5, p=None)]], 'points', f'-0.60 to +12.40), {WIDE}'),
        ([[found(value=5.9, half=6.5)]], 'points', WIDE),
        ([[found(value=0, half=0.2), found(value=-1, half=3)]], 'points', f'-4.00 to +2.00), {WIDE}'),
        ([[found(value=0.3, half=0.7)]], 'of quality', WIDE),  # 1% of 60
        ([GOOD, GOOD, [found(), found(0.35, 0, half=9)]], 'points', f'of another policy {WIDE[4:]}'),
    ],
)
def test_an_interval_of_nothing_or_much_shows_nothing(seeds, unit, reason):
    sentence = verdict(seeds, unit)
    assert sentence.startswith('Not shown: ')
    assert sentence.endswith(reason)


def test_a_wide_interval_is_no_where_the_shuffles_are_as_good():
    assert verdict([[found(value=5.9, half=6.5, p=0.01)]]).startswith('No, adapting does not pay: ')
    assert verdict([[found(value=0.3, half=0.69)]]).startswith('No, adapting does not pay: ')


def test_small_units_keep_their_digits():
    sentence = verdict([[found(value=0.00123, half=0.002)]], unit='of log-likelihood')
    assert '(gain +0.00123 of log-likelihood, 95% interval -0.00077 to +0.00323)' in sentence


def test_without_a_policy():
    for seeds in ([], [[]]):
        with pytest.raises(ValueError, match='seeds must hold at least one policy each'):
            verdict(seeds)


@pytest.mark.parametrize('name', POLICIES)
def test_planted_policies_get_their_verdict(name):
    depths, outcomes = sample(name, np.random.default_rng(5), n=4000)
    own = outcomes[depths, np.arange(4000)]
    measured = gain(
        COSTS[depths], own, COSTS, outcomes, vertices=VERTICES, choices=depths, resamples=1000
    )
    good = name in ('oracle', 'partly right')
    assert pays(measured) == good
    assert verdict([[measured]]).startswith('Not shown: at ' if good else 'No, adapting does not pay')


def test_what_was_not_shuffled_matters_only_where_it_could():
    passing = [found(0.38), found(0.5)]
    assert verdict([[*passing, found(0.9, p=None)]] * 3).startswith('Yes')
    failing = [found(0.62, 0.9, p=0.5), found(0.5, p=None)]
    assert verdict([failing]).endswith('but its depths on other images were not measured.')
