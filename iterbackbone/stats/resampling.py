"""Bootstrap of images, bootstrap and permutation of rank correlations.

Shape legend: k columns, n images of which every column is finite, B resamples at once.
Levels, (k, n) int, stand for the columns: places among the distinct values of a column, from 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

BOOTSTRAP_RESAMPLES = 2000  # a multiple of BATCH
PERMUTATIONS = 1999  # the least p-value is then 2 / 2000
BATCH = 200  # resamples at once: 8 MB an array at 5000 images
COLLINEAR = 1e-12  # 1 - r**2 up to here is rounding; one swap in 5000 images makes 2e-10


def image_counts(members: NDArray, resamples: int, rng: np.random.Generator) -> NDArray:
    """How often each image occurs in bootstrap resamples of whole sources, (resamples, n) float64.

    ``members`` are (n,) the source of each image, numbers from 0.
    """
    sources = int(members.max()) + 1
    return _counts(rng.integers(sources, size=(resamples, sources)))[:, members].astype(np.float64)


def bootstrap(levels: NDArray, coefficient: float, seed: int) -> tuple[float, float]:
    """95% percentile interval of :func:`spearman` over images, widened to hold ``coefficient``."""
    n, rng = levels.shape[1], np.random.default_rng(seed)
    draws = (rng.integers(n, size=(BATCH, n)) for _ in range(0, BOOTSTRAP_RESAMPLES, BATCH))
    found = np.concatenate([spearman(levels, drawn) for drawn in draws])
    # some are not NaN: a few images keep a coefficient defined, and many resamples hold them
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return min(float(low), coefficient), max(float(high), coefficient)


def permutation_p_value(levels: NDArray, seed: int) -> float:
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


def spearman(levels: NDArray, drawn: NDArray) -> NDArray:
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
    counts = _counts(levels)
    ranks = np.cumsum(counts, axis=-1) - (counts + levels.shape[1]) / 2
    return np.take_along_axis(ranks, levels, axis=-1)


def _counts(labels: NDArray) -> NDArray:
    """How often each of 0 .. n - 1 occurs in each row: (B, n) to (B, n)."""
    rows, n = labels.shape
    flat = (labels + n * np.arange(rows)[:, None]).ravel()
    return np.bincount(flat, minlength=rows * n).reshape(rows, n)
