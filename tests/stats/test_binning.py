"""Means in bins, against numbers worked out by hand, and what holds for any data."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterbackbone.stats.binning import Bin, binned_means, binned_rates, finite_columns

numbers = st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6))
pairs = st.lists(st.tuples(numbers, numbers), max_size=60)
pytestmark = pytest.mark.filterwarnings('error')


def test_a_bin_a_value_by_hand():
    # x = 2: y is 1, 3, 5, so the mean is 3 and s = 2. Student's t for 2 degrees of freedom and
    # 97.5% is 4.302653, and 4.302653 * 2 / sqrt(3) = 4.968276.
    bins = binned_means([2, 7, 2, 2], [1, 4, 3, 5])
    assert bins == [
        Bin(
            2.0, 2.0, 2.0, 3, 3.0, pytest.approx(-1.968276, abs=1e-6), pytest.approx(7.968276, abs=1e-6)
        ),
        Bin(7.0, 7.0, 7.0, 1, 4.0, None, None),
    ]


def test_equal_counts_by_hand():
    bins = binned_means([6, 1, 2, 3, 4, 5], [60, 10, 20, 30, 40, 50], max_bins=3)
    assert [(b.low, b.high, b.x_mean, b.num_images, b.mean) for b in bins] == [
        (1.0, 2.0, 1.5, 2, 15.0),
        (3.0, 4.0, 3.5, 2, 35.0),
        (5.0, 6.0, 5.5, 2, 55.0),
    ]


def test_equal_x_stay_together():
    # Of eight images 0 0 0 0 0 1 2 3 the middle of the zeros is at 2.5 of 8, below one half;
    # 1, 2 and 3 are at 5.5, 6.5 and 7.5, above it.
    bins = binned_means([0, 1, 0, 2, 0, 3, 0, 0], range(8), max_bins=2)
    assert [(b.low, b.high, b.num_images) for b in bins] == [(0.0, 0.0, 5), (1.0, 3.0, 3)]
    # seven ones after two zeros have their middle at 5.5 of ten: the second half
    assert [b.num_images for b in binned_means([0, 0, *[1] * 7, 2], range(10), max_bins=2)] == [2, 8]


def test_a_frequent_value_leaves_fewer_bins():
    # 0 has the middle 4 of ten images, the first half; 1 and 2 at 8.5 and 9.5, the second
    bins = binned_means([0] * 8 + [1, 2], range(10), max_bins=2)
    assert [(b.low, b.high, b.num_images) for b in bins] == [(0.0, 0.0, 8), (1.0, 2.0, 2)]
    # middle 4 of 12, the second quarter; 8.5 is in the third, 9.5 to 11.5 in the fourth
    assert [b.num_images for b in binned_means([0] * 8 + [1, 2, 3, 4], range(12), 4)] == [8, 1, 3]


def test_as_many_bins_as_values_are_one_each():
    assert [b.num_images for b in binned_means([0] * 8 + [1, 2], range(10), max_bins=3)] == [8, 1, 1]


def test_nothing_gives_no_bins():
    assert binned_means([], []) == []
    assert binned_means([None, 1], [1, math.nan]) == []


def test_constant_y_has_an_interval_of_no_width():
    (only,) = binned_means([3] * 7, [0.1] * 7)  # the plain sum of seven 0.1 over 7 is not 0.1
    assert (only.mean_low, only.mean, only.mean_high) == (0.1, 0.1, 0.1)


@given(pairs, st.integers(1, 12))
def test_bins_are_ordered_disjoint_and_complete(points, max_bins):
    x, y = np.array(points).reshape(-1, 2).T
    bins = binned_means(x, y, max_bins)
    assert len(bins) <= max_bins
    if len(set(x)) <= max_bins:
        assert [b.low for b in bins] == sorted(set(x))
    assert all(a.high < b.low for a, b in pairwise(bins))
    for b in bins:
        inside = (x >= b.low) & (x <= b.high)
        assert inside.sum() == b.num_images > 0
        assert {b.low, b.high} <= set(x[inside])
        assert b.mean == pytest.approx(y[inside].mean(), abs=1e-6)
        assert b.x_mean == pytest.approx(x[inside].mean(), abs=1e-6)
        if b.num_images == 1:
            assert b.mean_low is None
            assert b.mean_high is None
        else:
            assert b.mean_low <= b.mean <= b.mean_high
    assert sum(b.num_images for b in bins) == len(x)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60, unique=True), st.integers(1, 12))
def test_bins_of_distinct_x_have_equal_counts(x, max_bins):
    counts = [b.num_images for b in binned_means(x, x, max_bins)]
    assert len(counts) == min(len(x), max_bins)
    assert max(counts) - min(counts) <= 1


@given(pairs, st.lists(st.sampled_from([None, math.nan, math.inf, -math.inf]), max_size=4))
def test_points_that_are_not_finite_do_not_count(points, holes):
    x, y = [p[0] for p in points], [p[1] for p in points]
    ones = [1.0] * len(holes)
    assert binned_means([*holes, *x, *ones], [*ones, *y, *holes]) == binned_means(x, y)


def test_finite_columns_keeps_the_rows_in_order():
    columns = finite_columns(a=[1, 2, None, 4], b=[5, math.inf, 7, 8])
    assert columns.tolist() == [[1.0, 4.0], [5.0, 8.0]]


def test_columns_are_checked():
    with pytest.raises(
        ValueError, match=r"a, b must be equally long, got the lengths {'a': 1, 'b': 2}"
    ):
        finite_columns(a=[1], b=[1, 2])
    with pytest.raises(ValueError, match=r'b must have the shape \(n,\), got \(1, 2\)'):
        finite_columns(a=[1], b=[[1, 2]])
    with pytest.raises(ValueError, match=r"b must be a sequence of numbers and None: .*'many'"):
        finite_columns(a=[1], b=['many'])


@pytest.mark.parametrize('max_bins', [0, -1, 2.5, None])
def test_max_bins_is_checked(max_bins):
    with pytest.raises(ValueError, match=f'max_bins must be an int of at least 1, got {max_bins}'):
        binned_means([1], [1], max_bins)


def test_rates_have_wilsons_interval():
    # Wilson (1927), z = 1.959964: of 10 images 0 wrong, z^2 / (n + z^2) = 3.841459 / 13.841459;
    # of 4 images 1 wrong, centre (1 + 1.920729) / 7.841459 = 0.372473, half-width
    # z * sqrt(1 * 3 / 4 + 0.960365) / 7.841459 = 0.326885.
    bins = binned_rates([1] * 10 + [2] * 4 + [3], [0] * 10 + [1, 0, 0, 0] + [1])
    assert [(b.low, b.num_images, b.mean) for b in bins] == [(1, 10, 0), (2, 4, 0.25), (3, 1, 1)]
    none, some, one = ((b.mean_low, b.mean_high) for b in bins)
    assert none == (pytest.approx(0, abs=1e-9), pytest.approx(0.277533, abs=1e-6))
    assert some == pytest.approx((0.372473 - 0.326885, 0.372473 + 0.326885), abs=1e-6)
    assert one == (None, None)


def test_rates_are_of_zeros_and_ones():
    with pytest.raises(ValueError, match=r'y must hold 0 and 1 only, got \[0.0, 0.5\]'):
        binned_rates([1, 2], [0, 0.5])
