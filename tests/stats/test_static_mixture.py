"""Static budgets that cost less than a policy, and the mixture that costs the same."""

from __future__ import annotations

import numpy as np
import pytest

from iterbackbone.stats.gain import gain, measure
from iterbackbone.stats.gain_verdict import verdict
from iterbackbone.stats.run_scores import MeanIoU


def test_a_cheaper_budget_that_scores_as_much_is_named():
    # 50, 70, 60: at a cost of 2.5 the mixture has 65, the policy 69, the budget of cost 2 70
    menu = np.repeat([[50.0], [70.0], [60.0]], 40, axis=1)
    found = gain(np.full(40, 2.5), np.full(40, 69.0), [1, 2, 3], menu, vertices=[0, 1, 2], choices=None)
    assert found.value == pytest.approx(4)
    assert found.dominated
    assert verdict([[found]]) == (
        'No, adapting does not pay: at 83% of the MACs the policy scores more than the best mixture of '
        'two static budgets (gain +4.00 points, 95% interval +4.00 to +4.00), but not clearly more '
        'than a static budget that costs less.'
    )


def test_a_policy_no_better_than_a_cheaper_budget_seldom_seems_so():
    """Where full depth is worse, any policy beats the mixture on the falling side."""
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        kind = rng.integers(2, size=1000)
        chances = np.array([[0.5, 0.7, 0.5], [0.5, 0.7, 0.7]])[kind]
        menu = 100.0 * (rng.random((3, 1000)) < chances.T)
        depths = np.where(kind == 1, 2, 1)  # the true score is that of budget 1, at more cost
        own, cost = menu[depths, np.arange(1000)], np.array([1.0, 2.0, 4.0])
        found.append(gain(cost[depths], own, cost, menu, vertices=[0, 1, 2], resamples=200))
    assert sum(each.low > 0 for each in found) > 50
    assert sum(not each.dominated for each in found) <= 6


def test_a_policy_with_a_cheaper_budgets_own_outcomes_is_dominated():
    own = np.random.default_rng(0).random(500) * 100
    menu = np.stack([own - 20, own, own - 10])
    found = gain(np.full(500, 2.5), own, [1, 2, 3], menu, vertices=[0, 1, 2], resamples=50)
    assert found.dominated
    off_the_envelope = gain(np.full(500, 2.1), own, [1, 2, 3], menu, vertices=[0, 2], resamples=50)
    assert off_the_envelope.dominated


def test_the_mixture_of_a_set_costs_what_the_policy_costs():
    """A third of an image is the second budget's in a third of the draws."""
    n, weight = 30, 10.49 / 30
    values = np.stack([np.full(n, 20 + 60 * weight), np.full(n, 20.0), np.full(n, 80.0)])
    costs = np.stack([np.full(n, 1 + weight), np.ones(n), 2 * np.ones(n)])
    scores = MeanIoU(values[..., None], np.full((3, n, 1), 100.0))
    found = measure(scores, costs, vertices=[0, 1], resamples=50)
    assert found.value == pytest.approx(0, abs=60 / n / 200)
