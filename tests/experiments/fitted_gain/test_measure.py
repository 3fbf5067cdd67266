"""Groups of images by size."""

from __future__ import annotations

import numpy as np

from experiments.fitted_gain.measure import depths_of, size_groups


def test_quarters_that_coincide_are_one_group():
    sizes = np.r_[np.full(80, 1.0), [2, 3, 4, 5] * 5]
    groups = size_groups(sizes)
    assert [name for name, _ in groups] == ['1.00 to 5.00']
    assert sum(places.sum() for _, places in groups) == len(sizes)
    assert [places.sum() for _, places in size_groups(np.arange(8.0))] == [2, 2, 2, 2]


def test_a_static_budget_is_named_by_its_iterations():
    assert depths_of('1/2/16') == (1, 2, 16)
