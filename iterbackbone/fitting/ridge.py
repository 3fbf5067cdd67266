"""Ridge regression with a penalty chosen by cross-validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

PENALTIES = (1e1, 1e2, 3e2, 1e3, 3e3, 1e4, 1e5)  # at inputs of variance 1
CLIP = 3.0  # standard deviations of a target: losses have heavy tails


class Ridge(NamedTuple):
    """A linear prediction of T targets."""

    mean: Tensor  # of the inputs, (D,)
    scale: Tensor  # likewise
    weights: Tensor  # of standardised inputs, (D, T)
    intercept: Tensor  # (T,)
    correlation: float  # of predictions and targets in cross-validation, mean over the targets
    by_fold: Tensor  # the same within each fold, (F,)

    def __call__(self, inputs: Tensor) -> Tensor:
        """(N, D) -> (N, T)."""
        return (inputs - self.mean) / self.scale @ self.weights + self.intercept


def fit_ridge(inputs: Tensor, targets: Tensor, folds: Tensor) -> Ridge:
    """Fit with the penalty whose predictions correlate best with targets that they have not seen.

    From inputs (N, D) to targets (N, T), which are clipped at ``CLIP`` standard deviations; rows of one
    source share one of the ``folds``, (N,) int64.
    """
    inputs, targets = inputs.double(), targets.double()
    spread = CLIP * targets.std(dim=0)
    targets = targets.clamp(targets.mean(dim=0) - spread, targets.mean(dim=0) + spread)
    predictions = torch.zeros(len(PENALTIES), *targets.shape, dtype=torch.double)
    for unseen in _rows_of(folds):
        ridges = _solved(inputs[~unseen], targets[~unseen], PENALTIES)
        for p, ridge in enumerate(ridges):
            predictions[p, unseen] = ridge(inputs[unseen])
    correlations = torch.stack([correlation(each, targets).mean() for each in predictions])
    best = int(correlations.argmax())
    by_fold = [correlation(predictions[best][f], targets[f]).mean() for f in _rows_of(folds)]
    (ridge,) = _solved(inputs, targets, PENALTIES[best : best + 1])
    return ridge._replace(correlation=float(correlations[best]), by_fold=torch.stack(by_fold))


def _rows_of(folds: Tensor) -> list[Tensor]:
    return [folds == fold for fold in folds.unique()]


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's, of the columns of two (N, T) tensors, (T,); 0 where one does not vary."""
    a, b = a - a.mean(dim=0), b - b.mean(dim=0)
    norms = a.norm(dim=0) * b.norm(dim=0)
    return torch.where(norms > 0, (a * b).sum(dim=0) / norms.clamp(min=1e-300), 0.0)


def _solved(inputs: Tensor, targets: Tensor, penalties: Sequence[float]) -> Iterator[Ridge]:
    """The solution at each penalty."""
    mean, scale = inputs.mean(dim=0), inputs.std(dim=0) + 1e-6
    x, intercept = (inputs - mean) / scale, targets.mean(dim=0)
    y = targets - intercept
    few = x.shape[0] < x.shape[1]  # the smaller of the two systems
    gram, right = (x @ x.T, y) if few else (x.T @ x, x.T @ y)
    for penalty in penalties:
        found = torch.linalg.solve(gram + penalty * torch.eye(len(gram), dtype=x.dtype), right)
        yield Ridge(mean, scale, x.T @ found if few else found, intercept, 0.0, intercept[:0])
