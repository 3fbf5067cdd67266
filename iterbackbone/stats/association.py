"""Spearman's rank correlation between properties of an evaluation's images, with its uncertainty.

Shape legend: k columns, n images of which every column is finite, B resamples at once.
Levels, (k, n) int, stand for the columns: places among the distinct values of a column, from 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from .binning import finite_columns

ASYMPTOTIC_ABOVE = 5000  # images
BOOTSTRAP_RESAMPLES = 2000  # a multiple of BATCH
PERMUTATIONS = 1999  # the least p-value is then 2 / 2000
BATCH = 200  # resamples at once: 8 MB an array at 5000 images
COLLINEAR = 1e-12  # 1 - r**2 up to here is rounding; one swap in 5000 images makes 2e-10
MIN_DIFFERING = 10  # images; an interval from fewer holds the truth far less often than it says


@dataclass(frozen=True)
class Association:
    """A rank correlation over images.

    Attributes:
        num_images: Images used, those of which every column is finite.
        coefficient: Spearman's rho in [-1, 1]; None where it is undefined, as are the next four.
        low: Of the 95% interval, widened to hold ``coefficient`` where it would not; None, as
            ``high``, where there is none to trust, ``note`` says why.
        p_value: Two-sided, of no association; 0 where it is too small for a float.
        interval: 'bootstrap' or 'asymptotic', where ``low`` and ``high`` come from.
        note: Why there is no coefficient or no interval; None where there are both.
    """

    num_images: int
    coefficient: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    interval: str | None = None
    note: str | None = None


def associate(
    x: ArrayLike, y: ArrayLike, *, names: tuple[str, str] = ('x', 'y'), seed: int = 0
) -> Association:
    """Correlate two columns by rank; equal values share their mean rank.

    Up to ``ASYMPTOTIC_ABOVE`` images the interval is a percentile bootstrap over images (resamples
    in which a column is constant are dropped) and the p-value is a permutation test's, exact up
    to 6 images. Percentile rather than BCa: measured at 20 to 200 images, both cover the truth in
    93 to 97.5% of samples, but BCa takes n more evaluations and fails on some tied samples.

    Above, the interval is tanh(atanh(r) +- 1.96 se), se**2 = (1 + r**2 / 2) / (n - 3) (Bonett and
    Wright 2000), and the p-value is that of r sqrt((n - 2) / (1 - r**2)) in the t distribution with
    n - 2 degrees of freedom.

    There is no interval where fewer than ``MIN_DIFFERING`` images differ from the most frequent value
    of a column: resamples then mostly repeat the same few images. Images with None, NaN or an infinity
    are left out; ``names`` are what ``note`` calls the columns.

    Raises:
        ValueError: columns that are not 1-D, numeric and equally long.
    """
    return _associate(finite_columns(x=x, y=y), names, seed)


def partial_association(
    x: ArrayLike,
    y: ArrayLike,
    given: ArrayLike,
    *,
    names: tuple[str, str, str] = ('x', 'y', 'given'),
    seed: int = 0,
) -> Association:
    """Partial Spearman correlation: of x and y with ``given``, here z, held fixed.

    It is (r_xy - r_xz r_yz) / sqrt((1 - r_xz**2) (1 - r_yz**2)) and takes 4 images or more. All is
    as in :func:`associate` with one image less in every formula, whose p-value also holds up to
    ``ASYMPTOTIC_ABOVE`` images.
    """
    return _associate(finite_columns(x=x, y=y, given=given), names, seed)


def _associate(columns: NDArray, names: tuple[str, ...], seed: int) -> Association:
    k, n = columns.shape
    if (note := _undefined(columns, names)) is not None:
        return Association(n, note=note)
    levels = stats.rankdata(columns, method='dense', axis=-1).astype(np.int64) - 1
    r = float(_spearman(levels, np.arange(n)[None])[0])
    if math.isnan(r):
        note = f'{names[2]} ranks the images like {names[0]} or {names[1]}, or in exact reverse'
        return Association(n, note=note)
    if k == 2 and n <= ASYMPTOTIC_ABOVE:
        p_value = _permutation_p_value(levels, seed)
    else:
        t = abs(r) * math.sqrt((n - k) / max(1 - r**2, 1e-300))  # not by 0
        p_value = 2 * float(stats.t.sf(t, n - k))
    if (note := _untrusted(columns, names)) is not None:
        return Association(n, r, p_value=p_value, note=note)
    if n <= ASYMPTOTIC_ABOVE:
        return Association(n, r, *_bootstrap(levels, r, seed), p_value, 'bootstrap')
    interval = _fisher_interval(r, (1 + r**2 / 2) / (n - k - 1))
    return Association(n, r, *interval, p_value, 'asymptotic')


def _undefined(columns: NDArray, names: tuple[str, ...]) -> str | None:
    """Why the columns have no coefficient."""
    if columns.shape[1] <= len(columns):
        return f'fewer than {len(columns) + 1} images'
    for name, column in zip(names, columns, strict=True):
        if (column == column[0]).all():
            return f'every image has the same {name}'
    return None


def _untrusted(columns: NDArray, names: tuple[str, ...]) -> str | None:
    """Why the columns have no interval: few images differ from all the others."""
    for name, column in zip(names, columns, strict=True):
        differing = len(column) - int(np.unique(column, return_counts=True)[1].max())
        if differing < MIN_DIFFERING:
            return f'no interval: only {differing} images differ from the most frequent {name}'
    return None


def _spearman(levels: NDArray, drawn: NDArray) -> NDArray:
    """Spearman of two columns, or partial Spearman of the first two given the third, of drawn images.

    ``drawn`` are (B, n) places of images; (B,) coefficients, NaN where one is undefined.
    """
    ranks = np.stack([_centred_ranks(column[drawn]) for column in levels])
    with np.errstate(invalid='ignore', divide='ignore'):
        ranks /= np.sqrt((ranks**2).sum(axis=-1, keepdims=True))
        r = np.clip(np.einsum('ibn,jbn->ijb', ranks, ranks), -1, 1)
        if len(levels) == 2:
            return r[0, 1]
        rest = 1 - r[:2, 2] ** 2
        r_given = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt(rest[0] * rest[1])
    return np.where((rest > COLLINEAR).all(axis=0), np.clip(r_given, -1, 1), np.nan)


def _centred_ranks(levels: NDArray) -> NDArray:
    """(B, n) levels to their ranks in each row; equal levels share the mean rank."""
    rows, n = levels.shape
    flat = (levels + n * np.arange(rows)[:, None]).ravel()
    counts = np.bincount(flat, minlength=rows * n).reshape(rows, n)  # of each level in each row
    ranks = np.cumsum(counts, axis=-1) - (counts + n) / 2
    return np.take_along_axis(ranks, levels, axis=-1)


def _bootstrap(levels: NDArray, coefficient: float, seed: int) -> tuple[float, float]:
    """95% percentile interval of the coefficient over images, widened to hold ``coefficient``."""
    n, rng = levels.shape[1], np.random.default_rng(seed)
    draws = (rng.integers(n, size=(BATCH, n)) for _ in range(0, BOOTSTRAP_RESAMPLES, BATCH))
    found = np.concatenate([_spearman(levels, drawn) for drawn in draws])
    # some are not NaN: a few images keep a coefficient defined, and many resamples hold them
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return min(float(low), coefficient), max(float(high), coefficient)


def _permutation_p_value(levels: NDArray, seed: int) -> float:
    """Of Spearman's coefficient of two columns: twice the smaller tail, at most 1."""
    x, y = stats.rankdata(levels, axis=-1)
    test = stats.permutation_test(
        (y,),
        lambda y: x @ y,  # the only part of the coefficient that permuting changes
        permutation_type='pairings',
        n_resamples=PERMUTATIONS,
        batch=BATCH,
        random_state=np.random.default_rng(seed),
    )
    return float(test.pvalue)


def _fisher_interval(coefficient: float, variance: float) -> tuple[float, float]:
    if abs(coefficient) == 1:  # atanh is infinite
        return coefficient, coefficient
    centre, half = math.atanh(coefficient), float(stats.norm.ppf(0.975)) * math.sqrt(variance)
    return math.tanh(centre - half), math.tanh(centre + half)
