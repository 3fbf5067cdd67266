"""Golden: the rule that gives the dearer of two static budgets to images of a high signal."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.fitted_gain.signals import split_by

COSTS = np.array([[1.0] * 8, [2.0] * 8, [9.0] * 8, [4.0] * 8])
VERTICES = [0, 1, 3]  # the third budget is below the envelope
SIGNAL = np.arange(8.0)


@pytest.mark.parametrize(
    ('cost', 'budgets', 'dearer'),
    [(1.0, (0, 1), 0), (1.25, (0, 1), 2), (2.0, (0, 1), 7), (3.0, (1, 3), 4)],
)
def test_two_neighbours_meet_a_cost(cost, budgets, dearer):
    low, high, threshold = split_by(SIGNAL, COSTS, VERTICES, cost)
    assert (low, high) == budgets
    assert (threshold < SIGNAL).sum() == dearer
