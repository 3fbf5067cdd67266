"""Rank correlations against numbers worked out by hand and against scipy's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from iterbackbone.stats import association
from iterbackbone.stats.association import Association, associate, partial_association

pytestmark = pytest.mark.filterwarnings('error')


@pytest.fixture(autouse=True, scope='module')
def _small_samples():
    """Intervals of few images too: most values here are worked out by hand."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(association, 'MIN_DIFFERING', 0)
        yield


@pytest.fixture
def asymptotic(monkeypatch):
    monkeypatch.setattr(association, 'ASYMPTOTIC_ABOVE', 4)


def correlated(n, seed=0):
    rng = np.random.default_rng(seed)
    iterations = np.floor(rng.normal(10, 2, n))
    return iterations, iterations + rng.normal(0, 3, n), rng.normal(iterations, 1)


def test_spearman_with_ties_by_hand():
    # x has the ranks 1, 2.5, 2.5, 4 and y has 1, 3, 2, 4. Less the mean 2.5 they are -1.5, 0, 0, 1.5
    # and -1.5, 0.5, -0.5, 1.5: r = 4.5 / sqrt(4.5 * 5) = 3 / sqrt(10).
    # Over the 24 orders of y, the product is 1.5 * (last - first), the largest of which is y's own,
    # 4 after 1: one pair of 12. Two tails: 1 / 6.
    found = associate([1, 2, 2, 4], [1, 3, 2, 4])
    assert found.coefficient == pytest.approx(3 / math.sqrt(10), abs=1e-12)
    assert found.p_value == pytest.approx(1 / 6, abs=1e-12)
    assert (found.num_images, found.interval) == (4, 'bootstrap')
    assert found.note is None


X, Y, Z = [1, 2, 3, 4, 5], [2, 1, 4, 3, 5], [1, 3, 2, 5, 4]
# r = 1 - 6 sum d**2 / (5 * 24): d**2 sums to 4 for xy and xz and to 14 for yz, so r_xy = r_xz = 0.8
# and r_yz = 0.3. r_xy.z = (0.8 - 0.8 * 0.3) / sqrt(0.36 * 0.91).
PARTIAL = 0.56 / math.sqrt(0.3276)


def test_partial_by_hand():
    found = partial_association(X, Y, Z)
    assert found.coefficient == pytest.approx(PARTIAL, abs=1e-12)
    # with 2 degrees of freedom the two tails beyond t are 1 - t / sqrt(2 + t**2), which is 1 - r
    assert found.p_value == pytest.approx(1 - PARTIAL, abs=1e-12)
    assert (found.num_images, found.interval) == (5, 'bootstrap')


@pytest.mark.usefixtures('asymptotic')
def test_asymptotic_intervals_by_hand():
    # Spearman: atanh(0.8) = 1.098612, se = sqrt((1 + 0.32) / 2) = 0.812404, 1.959964 se = 1.592283.
    spearman = associate(X, Y)
    assert (spearman.low, spearman.high) == pytest.approx((-0.457124, 0.990843), abs=1e-6)
    # Partial: n - 4 = 1, atanh(0.978399) = 2.258485, se = sqrt(1.478632), 1.959964 se = 2.383276.
    partial = partial_association(X, Y, Z)
    assert (partial.low, partial.high) == pytest.approx((-0.124000, 0.999814), abs=1e-6)
    assert {spearman.interval, partial.interval} == {'asymptotic'}


def test_resampling_is_scipys():
    x, y, _ = correlated(25, seed=8)

    def coefficient(x, y):
        return stats.spearmanr(x, y)[0]

    found = associate(x, y, seed=3)
    assert found.coefficient == pytest.approx(coefficient(x, y), abs=1e-12)
    bootstrap = stats.bootstrap(
        (x, y), coefficient, n_resamples=2000, paired=True, vectorized=False, method='percentile',
        random_state=np.random.default_rng(3),
    )  # fmt: skip
    assert (found.low, found.high) == pytest.approx(tuple(bootstrap.confidence_interval), abs=1e-9)
    permutation = stats.permutation_test(
        (y,), lambda y: coefficient(x, y), permutation_type='pairings', n_resamples=1999,
        random_state=np.random.default_rng(3),
    )  # fmt: skip
    assert found.p_value == pytest.approx(permutation.pvalue, abs=1e-12)


def test_many_images_take_scipys_asymptotic_p_value():
    x, y, z = correlated(50_000)
    y = z[::-1] + y / 200  # so weakly that the p-value is no 0
    found = associate(x, y)
    assert found.interval == 'asymptotic'
    assert 0.001 < found.p_value < 0.5
    assert (found.coefficient, found.p_value) == pytest.approx(stats.spearmanr(x, y)[:2], rel=1e-9)
    assert partial_association(x, y, z).interval == 'asymptotic'


@pytest.mark.parametrize('method', ['spearman', 'partial'])
def test_bootstrap_and_formula_agree_at_3000_images(method, monkeypatch):
    rng = np.random.default_rng(1)
    x, y, z = rng.multivariate_normal([0, 0, 0], [[1, 0.4, 0.5], [0.4, 1, 0.3], [0.5, 0.3, 1]], 3000).T

    def find():
        return partial_association(x, y, z) if method == 'partial' else associate(x, y)

    monkeypatch.setattr(association, 'PERMUTATIONS', 9)
    bootstrap = find()
    monkeypatch.setattr(association, 'ASYMPTOTIC_ABOVE', 2999)
    formula = find()
    assert (bootstrap.interval, formula.interval) == ('bootstrap', 'asymptotic')
    width = formula.high - formula.low
    assert 0.03 < width < 0.08
    assert (bootstrap.low, bootstrap.high) == pytest.approx(
        (formula.low, formula.high), abs=0.12 * width
    )


def test_the_seed_decides():
    x, y, z = correlated(40)
    first, second = associate(x, y, seed=1), associate(x, y, seed=2)
    assert associate(x, y, seed=1) == first
    assert first.coefficient == second.coefficient
    assert first.low != second.low
    assert first.p_value != second.p_value
    assert partial_association(x, y, z, seed=1) == partial_association(x, y, z, seed=1)
    assert partial_association(x, y, z, seed=1).low != partial_association(x, y, z, seed=2).low


def test_the_least_p_value_by_hand():
    # none of 1999 random orders of 20 images is the one of 20! that agrees: 2 tails of 1 / 2000
    assert associate(range(20), range(20)).p_value == pytest.approx(0.001, abs=1e-12)


@pytest.mark.parametrize('n', [3, 7, 30, 6000])
def test_perfect_agreement(n):
    for sign in (1, -1):
        found = associate(range(n), sign * np.arange(n) ** 3)
        values = [found.low, found.coefficient, found.high]
        assert values == pytest.approx([sign] * 3, abs=1e-12)
        assert max(map(abs, values)) <= 1


@pytest.mark.parametrize(
    ('iterations', 'objects', 'num_images', 'note'),
    [
        ([], [], 0, 'fewer than 3 images'),
        ([1, 2, 3, None, 5], [1, math.nan, 3, 4, math.inf], 2, 'fewer than 3 images'),
        ([4, 4, 4, 5], [1, 2, 3, None], 3, 'every image has the same iterations'),
        ([4, 5, 6], [2, 2, 2], 3, 'every image has the same objects'),
        ([4] * 6000, [2] * 6000, 6000, 'every image has the same iterations'),
    ],
)
def test_what_has_no_coefficient_has_a_note(iterations, objects, num_images, note):
    found = associate(iterations, objects, names=('iterations', 'objects'))
    assert found == Association(num_images, note=note)


LIKE = 'size ranks the images like iterations or objects, or in exact reverse'


@pytest.mark.parametrize(
    ('iterations', 'objects', 'size', 'note'),
    [
        ([1, 2, 3], [2, 1, 3], [1, 3, 2], 'fewer than 4 images'),
        ([1, 2, 3, 4], [2, 1, 3, 4], [7, 7, 7, 7], 'every image has the same size'),
        ([1, 2, 3, 4], [2, 1, 3, 4], [1, 4, 9, 16], LIKE),
        ([1, 2, 3, 4], [2, 1, 3, 4], [8, 9, 7, 6], LIKE),
        (np.arange(6000), np.arange(6000) % 7, np.arange(6000) ** 2, LIKE),
    ],
)
def test_what_has_no_partial_coefficient_has_a_note(iterations, objects, size, note):
    found = partial_association(iterations, objects, size, names=('iterations', 'objects', 'size'))
    assert found == Association(len(size), note=note)


@pytest.mark.parametrize(('n', 'interval'), [(5000, 'bootstrap'), (5001, 'asymptotic')])
def test_one_swap_in_many_images_is_no_collinearity(n, interval):
    x = np.arange(n)
    found = partial_association(x, x, np.r_[1, 0, x[2:]])
    assert found.coefficient == pytest.approx(1, abs=1e-4)
    assert found.interval == interval


def test_arguments_are_checked():
    with pytest.raises(
        ValueError, match=r"x, y must be equally long, got the lengths {'x': 3, 'y': 2}"
    ):
        associate([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match=r'given must have the shape \(n,\), got \(1, 3\)'):
        partial_association([1, 2, 3], [1, 2, 3], [[1, 2, 3]])
