"""Scores of several evaluations of the same images, and of what is put together from them.

Shape legend: r runs (evaluations), n images, c classes, B weightings or choices at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROUNDING = 1e-9  # a difference of scores up to here is none

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def rounded(differences: ArrayLike) -> Array:
    """Differences of scores with 0 for rounding errors: no policy beats itself by 1e-14."""
    values = np.asarray(differences, dtype=np.float64)
    return np.where(np.abs(values) < ROUNDING, 0.0, values)


def interval95(values: Array) -> tuple[float, float]:
    """What holds 95% of the values, as much of them below as above."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


class RunScores(ABC):
    """Outcomes of r runs on n images, and the score of any mixture of them; greater is better.

    Attributes:
        num_runs: r.
        num_images: n.
        linear: Whether the score of a random assignment of images to runs is, on average, exactly
            the mean of the runs' scores weighted by their shares.
    """

    num_runs: int
    num_images: int
    linear = False

    @abstractmethod
    def mixed(self, shares: Array, counts: Array) -> Array:
        """Score where image i counts ``counts[:, i]`` times and run j has ``shares[:, j]`` of it, (B,).

        ``shares`` are (B, r), rows that add up to 1; ``counts`` (B, n), such as how often a bootstrap
        draws each image.
        """

    @abstractmethod
    def chosen(self, choice: Index) -> Array:
        """Score where image i has the outcome of run ``choice[:, i]``: (B, n) to (B,)."""

    @abstractmethod
    def take(self, runs: Sequence[int] | Index) -> RunScores:
        """The scores of some runs only."""

    def each(self) -> Array:
        """Score of every run alone, (r,)."""
        return self.mixed(np.eye(self.num_runs), np.ones((self.num_runs, self.num_images)))


class MeanScores(RunScores):
    """A score that is the mean of one finite value an image, (r, n), such as top-1 accuracy."""

    linear = True

    def __init__(self, values: ArrayLike) -> None:
        self.values = np.asarray(values, dtype=np.float64)
        if self.values.ndim != 2 or not np.isfinite(self.values).all():
            raise ValueError(f'values must be finite, of shape (r, n), got {self.values.shape}')
        self.num_runs, self.num_images = self.values.shape

    def mixed(self, shares: Array, counts: Array) -> Array:
        return (counts @ self.values.T * shares).sum(axis=1) / counts.sum(axis=1)

    def chosen(self, choice: Index) -> Array:
        return self.values[choice, np.arange(self.num_images)].mean(axis=1)

    def take(self, runs: Sequence[int] | Index) -> MeanScores:
        return MeanScores(self.values[np.array(runs, dtype=int)])


class MeanIoU(RunScores):
    """Mean over the classes of intersection over union of the whole set's pixels, in points.

    Intersections are (r, n, c) pixels that are true and predicted, unions those that are true or
    predicted; a class of which none is left has no term.

    Raises:
        ValueError: the shapes differ, or a class has more pixels shared than in all.
    """

    def __init__(self, intersections: ArrayLike, unions: ArrayLike) -> None:
        shared, union = (np.asarray(v, dtype=np.float64) for v in (intersections, unions))
        if shared.ndim != 3 or shared.shape != union.shape:
            raise ValueError(
                f'intersections and unions must have the shape (r, n, c), got {shared.shape} and '
                f'{union.shape}'
            )
        if not ((shared >= 0) & (shared <= union)).all():
            raise ValueError('intersections must lie between 0 and unions')
        self.pixels = np.stack([shared, union])  # (2, r, n, c)
        self.num_runs, self.num_images = shared.shape[:2]

    def mixed(self, shares: Array, counts: Array) -> Array:
        sums = np.einsum('srnc,bn->sbrc', self.pixels, counts, optimize=True)
        return mean_ratio(*np.einsum('sbrc,br->sbc', sums, shares))

    def chosen(self, choice: Index) -> Array:
        images = np.arange(self.num_images)
        sums = [self.pixels[:, row, images].sum(axis=1) for row in choice]
        return mean_ratio(*np.stack(sums, axis=1))

    def take(self, runs: Sequence[int] | Index) -> MeanIoU:
        return MeanIoU(*self.pixels[:, np.array(runs, dtype=int)])


def mean_ratio(parts: Array, wholes: Array) -> Array:
    """(B, c) each to the mean over the classes that have a whole, (B,) in points."""
    occurs = wholes > 0
    ratio = np.divide(parts, wholes, out=np.zeros_like(parts), where=occurs)
    return 100 * ratio.sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)
