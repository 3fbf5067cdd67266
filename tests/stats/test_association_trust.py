"""No interval where too few images tell: resamples of the same few images are all alike."""

from __future__ import annotations

import numpy as np
import pytest

from iterbackbone.stats import association
from iterbackbone.stats.association import associate, partial_association


def nearly_constant(differing, n=500):
    """All images but ``differing`` take the same iterations."""
    rng = np.random.default_rng(0)
    iterations = np.full(n, 8)
    iterations[:differing] = 9
    return iterations, rng.normal(size=n), rng.normal(size=n)


@pytest.mark.parametrize(('differing', 'interval'), [(1, None), (9, None), (10, 'bootstrap')])
def test_an_interval_takes_ten_images_that_differ(differing, interval):
    x, y, _ = nearly_constant(differing)
    found = associate(x, y, names=('iterations', 'count'))
    assert found.interval == interval
    assert (found.low is None) == (found.high is None) == (interval is None)
    assert found.coefficient is not None
    assert 0 < found.p_value <= 1
    if interval is None:
        assert found.note == (
            f'no interval: only {differing} images differ from the most frequent iterations'
        )


def test_the_same_holds_for_partial_correlation_and_above_5000_images():
    assert partial_association(*nearly_constant(9)).interval is None
    assert partial_association(*nearly_constant(10)).interval == 'bootstrap'
    x, y, z = nearly_constant(9, n=5001)
    assert associate(x, y).interval is None
    assert partial_association(x, y, z).interval is None
    assert associate(*nearly_constant(10, n=5001)[:2]).interval == 'asymptotic'


@pytest.mark.parametrize('n', [3, 10])
def test_few_images_have_no_interval(n):
    found = associate(range(n), range(n))
    assert (found.coefficient, found.interval) == (pytest.approx(1), None)
    assert found.note.startswith(f'no interval: only {n - 1} images differ')


def test_independent_columns_rarely_seem_related(monkeypatch):
    monkeypatch.setattr(association, 'PERMUTATIONS', 9)  # nothing here is about the p-value
    claimed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x, y = rng.random(300) < 0.02, rng.normal(size=300)  # about six images differ
        found = associate(x, y, seed=seed)
        claimed += found.low is not None and not found.low <= 0 <= found.high
    assert claimed <= 10
