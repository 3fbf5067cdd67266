"""Columns of one value an image: those that are finite, and the means of one in bins of another."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


@dataclass(frozen=True)
class Bin:
    """Images whose x lies in [low, high], the least and the greatest of them.

    Attributes:
        x_mean: Their mean x.
        num_images: At least 1.
        mean: Their mean y.
        mean_low: Of the 95% interval of ``mean``; None with one image.
        mean_high: Of the same interval.
    """

    low: float
    high: float
    x_mean: float
    num_images: int
    mean: float
    mean_low: float | None
    mean_high: float | None


def finite_columns(**columns: ArrayLike) -> NDArray[np.float64]:
    """Stack columns, (n,) each, without the images of which a value is None, NaN or infinite.

    Raises:
        ValueError: a column is not 1-D, not numeric, or not as long as the first; it names it.
    """
    arrays: dict[str, NDArray[np.float64]] = {}
    for name, column in columns.items():
        try:
            arrays[name] = np.asarray(column, dtype=np.float64)  # None becomes NaN
        except (TypeError, ValueError) as error:
            raise ValueError(f'{name} must be a sequence of numbers and None: {error}') from error
        if arrays[name].ndim != 1:
            raise ValueError(f'{name} must have the shape (n,), got {arrays[name].shape}')
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f'{", ".join(lengths)} must be equally long, got the lengths {lengths}')
    stacked = np.stack(list(arrays.values()))
    return stacked[:, np.isfinite(stacked).all(axis=0)]


def binned_means(x: ArrayLike, y: ArrayLike, max_bins: int = 10) -> list[Bin]:
    """Mean y in bins of x, in increasing x, with its t interval; every image is in one bin.

    With at most ``max_bins`` distinct x there is a bin a value. Otherwise the images sorted by x
    are cut at ``max_bins`` equal counts, and equal x go together to the bin of their middle, which
    may leave fewer bins. Images with None, NaN or an infinity are left out.

    Raises:
        ValueError: a wrong ``max_bins``, or columns that are not 1-D, numeric and equally long.
    """
    if not isinstance(max_bins, Integral) or max_bins < 1:
        raise ValueError(f'max_bins must be an int of at least 1, got {max_bins!r}')
    columns = finite_columns(x=x, y=y)
    values, group, counts = np.unique(columns[0], return_inverse=True, return_counts=True)
    if len(values) <= max_bins:
        bin_of_value = np.arange(len(values))
    else:
        middle = np.cumsum(counts) - counts / 2  # images below the middle of each distinct x
        bin_of_value = np.floor(middle * max_bins / counts.sum())
    bins = bin_of_value[group]
    return [_bin(*columns[:, bins == index]) for index in np.unique(bins)]


def binned_rates(x: ArrayLike, y: ArrayLike, max_bins: int = 10) -> list[Bin]:
    """As :func:`binned_means` for y of 0 and 1, with the interval of a rate.

    It is Wilson's (1927): unlike the t interval it stays in [0, 1] and has a width where all
    images of a bin are alike.

    Raises:
        ValueError: as :func:`binned_means`, or a y other than 0 and 1.
    """
    values = np.unique(finite_columns(x=x, y=y)[1])
    if not np.isin(values, (0, 1)).all():
        raise ValueError(f'y must hold 0 and 1 only, got {values[:5].tolist()}')
    return [_with_wilson_interval(found) for found in binned_means(x, y, max_bins)]


def _with_wilson_interval(found: Bin) -> Bin:
    if found.num_images == 1:
        return found
    test = stats.binomtest(round(found.mean * found.num_images), found.num_images)
    interval = test.proportion_ci(0.95, method='wilson')
    return replace(found, mean_low=float(interval.low), mean_high=float(interval.high))


def _bin(x: NDArray[np.float64], y: NDArray[np.float64]) -> Bin:
    mean, low, high = _mean(y), None, None
    if len(y) > 1:
        spread = float((y - y[0]).std(ddof=1))
        half = float(stats.t.ppf(0.975, len(y) - 1)) * spread / math.sqrt(len(y))
        low, high = mean - half, mean + half
    return Bin(float(x.min()), float(x.max()), _mean(x), len(y), mean, low, high)


def _mean(values: NDArray[np.float64]) -> float:
    # Less one of them first: the mean of equal values is then exactly their value.
    return float(values[0] + (values - values[0]).mean())
