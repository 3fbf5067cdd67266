"""What holds for any data, and how often the 95% interval holds the true coefficient."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from iterbackbone.stats import association
from iterbackbone.stats.association import associate, partial_association

pytestmark = pytest.mark.filterwarnings('error')

numbers = st.one_of(st.integers(0, 3).map(float), st.floats(-1e6, 1e6))
columns = st.integers(0, 12).flatmap(
    lambda n: st.tuples(*[st.lists(numbers, min_size=n, max_size=n) for _ in range(3)])
)


@pytest.fixture(scope='module', autouse=True)
def _few_permutations():  # nothing here is about their number
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(association, 'PERMUTATIONS', 29)
        yield


def both(x, y, z):
    return [associate(x, y), partial_association(x, y, z)]


@pytest.fixture(autouse=True, scope='module')
def _small_samples():
    """Intervals of few images too, of a quarter of the resamples: thousands are computed here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(association, 'MIN_DIFFERING', 0)
        patch.setattr(association, 'BOOTSTRAP_RESAMPLES', 500)
        yield


@given(columns)
def test_a_result_is_whole_or_absent(data):
    for found in both(*data):
        values = (found.low, found.coefficient, found.high)
        assert found.num_images == len(data[0])
        if found.coefficient is None:
            assert values == (None, None, None)
            assert (found.p_value, found.interval) == (None, None)
            assert found.note
        else:
            assert -1 <= values[0] <= values[1] <= values[2] <= 1
            assert 0 <= found.p_value <= 1
            assert found.p_value > 0 or abs(found.coefficient) == 1
            assert found.note is None


@given(columns)
def test_only_the_order_counts(data):
    ranks = [stats.rankdata(column) for column in data]
    assert both(*data) == both(*(rank**3 - 40 for rank in ranks))


@given(columns)
def test_negation_turns_the_sign(data):
    x, y, z = (np.array(column) for column in data)
    for found, turned in zip(both(x, y, z), both(x, -y, z), strict=True):
        if found.coefficient is None:
            assert turned == found
        else:
            values = (-turned.high, -turned.coefficient, -turned.low, turned.p_value)
            expected = (found.low, found.coefficient, found.high, found.p_value)
            assert values == pytest.approx(expected, abs=1e-9)


@given(columns)
def test_x_and_y_may_be_swapped(data):
    x, y, z = data
    for found, swapped in zip(both(x, y, z), both(y, x, z), strict=True):
        if found.coefficient is not None:
            values = (swapped.low, swapped.coefficient, swapped.high)
            assert values == pytest.approx((found.low, found.coefficient, found.high), abs=1e-9)


@given(columns, st.lists(st.sampled_from([None, math.nan, math.inf, -math.inf]), max_size=4))
def test_images_that_are_not_finite_do_not_count(data, holes):
    x, y, z = data
    ones = [1.0] * len(holes)
    more_x, more_y, more_z = (
        [*holes, *x, *ones, *ones],
        [*ones, *y, *holes, *ones],
        [*ones, *z, *ones, *holes],
    )
    assert partial_association(more_x, more_y, more_z) == partial_association(x, y, z)
    assert associate([*holes, *x, *ones], [*ones, *y, *holes]) == associate(x, y)


def gaussian(seed):
    """200 images whose x and y are normal with the correlation 0.5."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=200)
    return x, 0.5 * x + math.sqrt(0.75) * rng.normal(size=200)


QUARTILES = stats.norm.ppf([0.25, 0.5, 0.75])
# For x and y normal with the correlation r: 6 / pi asin(r / 2).
TRUE = 6 / math.pi * math.asin(0.25)


def true_of_quarters():
    """Spearman's coefficient where x is known by its quarter only, 0 to 3, so with many ties.

    It is the correlation of the quarter q and u = F(y), which is the sum over the quartiles t of
    cov(x > t, u) / (sd of q * sd of u). With w independent of and distributed as y, cov(x > t, u) =
    P(x > t, w < y) - P(x > t) / 2, and (y - w) / sqrt(2) correlates with x by r / sqrt(2). The
    variances of q and u are 15 / 12 and 1 / 12.
    """
    r = 0.5 / math.sqrt(2)
    joint = stats.multivariate_normal([0, 0], [[1, r], [r, 1]])
    covariance = sum(joint.cdf([-t, 0]) - stats.norm.sf(t) / 2 for t in QUARTILES)
    return covariance / math.sqrt(15 / 12 / 12)


def hits(find, true):
    results = [find(*gaussian(seed), seed) for seed in range(500)]
    held = sum(found.low <= true <= found.high for found in results)
    return held / len(results), results[0].interval


@pytest.mark.slow
def test_the_bootstrap_covers_the_truth():
    share, interval = hits(lambda x, y, seed: associate(x, y, seed=seed), TRUE)
    assert interval == 'bootstrap'
    assert 0.93 <= share <= 0.97


@pytest.mark.slow
def test_the_bootstrap_covers_the_truth_with_ties():
    def find(x, y, seed):
        return associate(np.searchsorted(QUARTILES, x), y, seed=seed)

    share, _ = hits(find, true_of_quarters())
    assert 0.93 <= share <= 0.97


def test_the_formula_covers_the_truth(monkeypatch):
    monkeypatch.setattr(association, 'ASYMPTOTIC_ABOVE', 199)
    share, interval = hits(lambda x, y, seed: associate(x, y), TRUE)
    assert interval == 'asymptotic'
    assert 0.93 <= share <= 0.97
