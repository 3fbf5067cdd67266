"""What going on is worth: the predicted gain over MACs, which is compared with a price.

A row at iteration j goes on while some k > j has gain(j, k) > price * MACs(j, k): while
``max over k of gain(j, k) / MACs(j, k) > price``, in which no price stands. So one fit serves all.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .ridge import fit_ridge

Z = 3.0  # standard errors, between folds, by which a correlation must exceed 0 to count


class BlockSamples(NamedTuple):
    """What was seen of one block on the fitting images."""

    inputs: Tensor  # of its halting unit after iterations 1 to L - 1, (L - 1, N, D)
    losses: Tensor  # stopped after iterations 1 to L, (N, L), all else being equal
    price: float  # MACs of an iteration of all rows as a share of the full MACs
    folds: Tensor  # (N,) int64, for cross-validation; rows of one source share one

    def of(self, rows: Tensor) -> BlockSamples:
        """Of some rows, (N,) bool."""
        return BlockSamples(self.inputs[:, rows], self.losses[rows], self.price, self.folds[rows])

    def gains(self, j: int) -> Tensor:
        """Of going on from iteration ``j`` (from 1) to j + 1, ..., L: (N, L - j)."""
        return self.losses[:, j - 1 : j] - self.losses[:, j:]


class BlockIndex(NamedTuple):
    """Predictions for one block."""

    values: Tensor  # after iterations 1 to L - 1, (L - 1, N) float64: loss over share of the full MACs
    correlation: float  # of predicted and true gains in cross-validation, mean over iterations
    predictable: bool  # whether that is more than chance; if not, the predictions are of no use


def fit_index(samples: BlockSamples) -> BlockIndex:
    """Fit a block's predictions, one ridge regression an iteration."""
    values, ridges = [], []
    for j, x in enumerate(samples.inputs, start=1):
        ridge = fit_ridge(x, samples.gains(j), samples.folds)
        gains = ridge(x.double())
        steps = torch.arange(1, gains.shape[1] + 1, dtype=gains.dtype)
        values.append((gains / (steps * samples.price)).max(dim=1).values)
        ridges.append(ridge)
    mean = sum(ridge.correlation for ridge in ridges) / len(ridges)
    # By the folds' own spread: rows of one source do not count as independent.
    by_fold = torch.stack([ridge.by_fold for ridge in ridges]).mean(dim=0)
    error = by_fold.std() / len(by_fold) ** 0.5
    predictable = len(by_fold) > 2 and bool(by_fold.mean() > Z * error)
    return BlockIndex(torch.stack(values), mean, predictable)


def stopped_at(index: Tensor, price: float) -> Tensor:
    """Iterations of each row at a price: (L - 1, N) -> (N,) int64."""
    going_on = (index > price).long().cumprod(dim=0)
    return 1 + going_on.sum(dim=0)
