"""The gain of a policy over static budgets of the same mean cost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from iterbackbone.stats.gain import envelope, gain
from tests.support.planted_policies import COSTS, POLICIES, VERTICES, known_gain, sample


@pytest.mark.parametrize(
    ('costs', 'scores', 'vertices'),
    [
        ([1, 2, 3], [0, 2, 3], [0, 1, 2]),
        ([1, 2, 3], [0, 1, 3], [0, 2]),  # below the line
        ([1, 2, 3], [0, 1.5, 3], [0, 2]),  # on the line
        ([3, 1, 2], [3, 0, 2], [1, 2, 0]),  # in any order
        ([1, 2, 3], [0, 3, 2], [0, 1, 2]),  # full depth is worse, and still the only one of its cost
        ([1, 1, 3], [0, 1, 2], [1, 2]),  # two of one cost
    ],
)
def test_envelope(costs, scores, vertices):
    assert envelope(costs, scores) == vertices


def test_the_envelope_is_that_of_all_mixtures_of_two():
    rng = np.random.default_rng(0)
    for _ in range(50):
        costs, scores = rng.random(8), rng.random(8)
        found = envelope(costs, scores)
        for m in np.linspace(costs.min(), costs.max(), 7):
            best = max(
                np.interp(m, costs[[a, b]], scores[[a, b]])
                for a in range(8)
                for b in range(8)
                if costs[a] <= m <= costs[b]
            )
            assert np.interp(m, costs[found], scores[found]) == pytest.approx(best)


def test_by_hand():
    menu = [[0, 0, 100, 0], [100, 0, 100, 0], [100, 100, 100, 100]]  # means 25, 50, 100
    found = gain([1, 3, 1, 5], [0, 100, 100, 100], [1, 3, 5], menu, vertices=[0, 2], resamples=20)
    assert found.cost == 2.5
    assert found.share == 0.5
    assert found.score == 75
    assert found.weight == pytest.approx(3 / 8)
    assert found.mixture == pytest.approx(25 + 75 * 3 / 8)
    assert found.value == pytest.approx(75 - 53.125)
    assert found.vertices == (0, 2)
    assert found.dominated  # 50 points above the cheapest budget, but of four images
    assert found.shuffled is None


def test_costs_may_differ_between_images():
    found = gain([2, 8], [1, 1], [[2, 4], [8, 16]], [[0, 0], [1, 2]], vertices=[0, 1], resamples=9)
    assert found.weight == pytest.approx((5 - 3) / (12 - 3))
    assert found.value == pytest.approx(1 - 1.5 * 2 / 9)


def test_a_cost_may_miss_the_menu_by_rounding():
    found = gain([3, 3 + 1e-6], [1, 1], [1, 3], [[0, 0], [1, 1]], vertices=[0, 1], resamples=9)
    assert found.value == pytest.approx(0, abs=1e-6)


def test_share_of_full_depth():
    arguments = [1, 3], [0, 1], [1, 3], [[0, 0], [1, 1]]
    assert gain(*arguments, vertices=[0, 1], resamples=9).share == pytest.approx(2 / 3)
    assert gain(*arguments, vertices=[0, 1], resamples=9, full_cost=8.0).share == 0.25


def planted(name, seed=0, n=300, **options):
    rng = np.random.default_rng(seed)
    depths, outcomes = sample(name, rng, n)
    own = outcomes[depths, np.arange(n)]
    return gain(COSTS[depths], own, COSTS, outcomes, vertices=VERTICES, seed=seed, **options), depths


def test_known_gains():
    # at a cost of 30 the envelope has 62.5
    scores = {'oracle': (70 + 62) / 2, 'random': (70 + 68 + 30 + 62) / 4, 'worse than random': 98 / 2}
    expected = {name: score - 62.5 for name, score in scores.items()} | {'constant': 0}
    assert {name: pytest.approx(known_gain(name)) for name in expected} == expected


@pytest.mark.parametrize('name', POLICIES)
def test_the_interval_covers_the_known_gain(name):
    hits = 0
    for seed in range(200):
        found, _ = planted(name, seed, n=200, resamples=600)
        hits += found.low <= known_gain(name) <= found.high
    if name == 'constant':
        assert hits == 200
    else:  # 99.9% of the binomial distribution
        assert 179 <= hits <= 198


@pytest.mark.parametrize('name', POLICIES)
def test_the_shuffles_find_whether_depths_follow_images(name):
    n = 3000
    found, depths = planted(name, n=n, resamples=500)
    again, _ = planted(name, n=n, resamples=500, choices=depths)
    assert (again.value, again.low, again.high) == (found.value, found.low, found.high)
    shuffled = again.shuffled
    assert shuffled.cost == pytest.approx(found.cost)
    assert shuffled.reassembled == found.score
    assert shuffled.gain_low <= shuffled.gain <= shuffled.gain_high
    assert shuffled.low - 1e-9 <= shuffled.score <= shuffled.high + 1e-9
    assert shuffled.score == pytest.approx(
        57.5 if name in ('oracle', 'random') else shuffled.score, abs=2
    )
    expected = {'oracle': 1 / 1001, 'partly right': 1 / 1001, 'worse than random': 1, 'constant': 1}
    assert shuffled.p_value == pytest.approx(expected.get(name, shuffled.p_value))
    assert name != 'random' or shuffled.p_value > 0.01


def test_a_policy_that_is_a_static_budget_gains_exactly_nothing():
    rng = np.random.default_rng(3)
    scores, costs = rng.random((3, 77)), np.sort(rng.random((3, 77)), axis=0)
    for budget in range(3):
        found = gain(costs[budget], scores[budget], costs, scores, vertices=[0, 1, 2], resamples=200)
        assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_repeated_items_of_one_source_do_not_narrow_the_interval():
    depths, outcomes = sample('partly right', np.random.default_rng(1))
    own = outcomes[depths, np.arange(300)]
    plain = gain(COSTS[depths], own, COSTS, outcomes, vertices=VERTICES, resamples=4000)
    four = [np.tile(a, 4) for a in (COSTS[depths], own)]
    menu = COSTS, np.tile(outcomes, 4)
    grouped = gain(*four, *menu, vertices=VERTICES, resamples=4000, groups=np.tile(np.arange(300), 4))
    wrong = gain(*four, *menu, vertices=VERTICES, resamples=4000)
    assert (grouped.num_images, grouped.num_groups) == (1200, 300)
    assert grouped.value == pytest.approx(plain.value)
    assert grouped.high - grouped.low == pytest.approx(plain.high - plain.low, rel=0.06)
    assert wrong.high - wrong.low == pytest.approx((plain.high - plain.low) / 2, rel=0.06)


def test_batches_change_nothing(monkeypatch):
    whole = planted('oracle', resamples=300)[0]
    monkeypatch.setattr('iterbackbone.stats.gain.COUNTS_AT_ONCE', 7 * 300)
    seen = []
    parts = planted('oracle', resamples=300, progress=lambda b: seen.append(len(b)) or b)[0]
    assert seen == [43]
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(policy_cost=[9.0, 9.0]), "policy's mean cost must lie between .* 1 and 3 MACs, got 9"),
        (dict(policy_cost=[0.5, 0.5]), "policy's mean cost must lie between"),
        (dict(policy_cost=[math.nan, 1]), 'costs must be finite and positive'),
        (dict(policy_scores=[math.inf, 1]), 'values must be finite'),
        (dict(policy_scores=[1]), r'policy_scores and menu_scores must have the shapes'),
        (dict(menu_cost=[1, 2, 3]), r'menu_cost must have the shape \(2, 2\) or \(2,\), got \(3,\)'),
        (dict(vertices=[0]), r'vertices must be 2 or more places among 2 static runs, .* got \[0\]'),
        (dict(vertices=[0, 2]), 'vertices must be 2 or more places among 2 static runs'),
        (dict(vertices=[1, 0]), r'static runs, by increasing mean cost, got \[1, 0\]'),
        (dict(choices=[0, 2]), r'choices must be \(n,\) = \(2,\) places among 2 static runs'),
        (dict(choices=[0.0, 1.0]), r'choices must be \(n,\)'),
        (dict(groups=[1]), r'groups must have the shape \(2,\), got \(1,\)'),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = dict(
        policy_cost=[1.0, 3.0],
        policy_scores=[1.0, 0.0],
        menu_cost=[1.0, 3.0],
        menu_scores=[[0.0, 0.0], [1.0, 1.0]],
        vertices=[0, 1],
    )
    with pytest.raises(ValueError, match=message):
        gain(**{**arguments, **change})


@pytest.mark.parametrize(
    ('costs', 'scores', 'message'),
    [
        ([1], [1], 'the menu must have 2 to 8 static budgets'),
        (range(1, 10), range(9), 'the menu must have 2 to 8 static budgets'),
        ([2, 2], [1, 3], 'of two costs or more'),
        ([1, 2], [1, math.nan], 'must be finite'),
        ([1, 2], [1], r'must be \(k,\) each'),
    ],
)
def test_bad_menus_are_named(costs, scores, message):
    with pytest.raises(ValueError, match=message):
        envelope(list(costs), list(scores))
