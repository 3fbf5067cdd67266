"""What going on is worth: the predicted gain over MACs, and the halting unit that compares it.

A row at iteration j goes on while some k > j has gain(j, k) > price * MACs(j, k): while
``max over k of gain(j, k) / MACs(j, k) > price``, in which no price stands. So one fit of this index
serves all. A block's unit holds it in two linear layers and a sigmoid.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.halting import HaltingUnit
from .ridge import correlation, fit_ridge

Z = 3.0  # standard errors, between folds, by which a correlation must exceed 0 to count
SHARPNESS = 100.0  # logits per standard deviation of the index: scores are 0 or 1 but for 2% of rows
FLAT = 1e-3  # of the median standard deviation
STEPS = 600
BATCH = 1024


def fit_index(
    inputs: Tensor, losses: Tensor, price: float, folds: Tensor
) -> tuple[Tensor | None, float]:
    """Predict a block's gains, by one ridge regression an iteration.

    Args:
        inputs: Of its halting unit after iterations 1 to L - 1, (L - 1, R, D).
        losses: Stopped after iterations 1 to L, all else being equal, (R, L) float64.
        price: MACs of an iteration of all rows as a share of the full MACs.
        folds: (R,) int64, for cross-validation; rows of one source share one.

    Returns the index, loss over share of the full MACs, (L - 1, R) float64, or None where the gains are
    predicted no better than by chance; and the correlation of predicted and true gains in
    cross-validation, mean over iterations.
    """
    values, ridges = [], []
    for j, x in enumerate(inputs, start=1):
        ridge = fit_ridge(x, losses[:, j - 1 : j] - losses[:, j:], folds)
        gains = ridge(x.double())
        steps = torch.arange(1, gains.shape[1] + 1, dtype=gains.dtype)
        values.append((gains / (steps * price)).max(dim=1).values)
        ridges.append(ridge)
    mean = sum(ridge.correlation for ridge in ridges) / len(ridges)
    # By the folds' own spread: rows of one source do not count as independent.
    by_fold = torch.stack([ridge.by_fold for ridge in ridges]).mean(dim=0)
    error = by_fold.std() / len(by_fold) ** 0.5
    predictable = len(by_fold) > 2 and bool(by_fold.mean() > Z * error)
    return torch.stack(values) if predictable else None, mean


def stopped_at(index: Tensor, price: float) -> Tensor:
    """Iterations of each row at a price: (L - 1, R) -> (R,) int64."""
    going_on = (index > price).long().cumprod(dim=0)
    return 1 + going_on.sum(dim=0)


class UnitFit(NamedTuple):
    """A unit's weights, whose output is the index."""

    fc1: tuple[Tensor, Tensor]  # weight (hidden, D) and bias (hidden,)
    fc2: tuple[Tensor, Tensor]  # weight (1, hidden) and bias (1,)
    scale: float  # standard deviation of the index
    correlation: float  # with the true gain of all further iterations on held-out rows
    kind: str  # 'linear' or 'two layers'

    def __call__(self, inputs: Tensor) -> Tensor:
        """The index: (..., D) -> (...)."""
        hidden = F.relu(F.linear(inputs, *self.fc1))
        return F.linear(hidden, *self.fc2).squeeze(-1)

    def offset(self, price: float) -> float:
        """Of the unit's logit at a price."""
        return SHARPNESS * price / self.scale

    @torch.no_grad()
    def install(self, unit: HaltingUnit) -> None:
        """Write the weights; without an offset the price is 0: stop where nothing is gained."""
        unit.fc1.weight.copy_(self.fc1[0])
        unit.fc1.bias.copy_(self.fc1[1])
        unit.fc2.weight.copy_(self.fc2[0] * -SHARPNESS / self.scale)
        unit.fc2.bias.copy_(self.fc2[1] * -SHARPNESS / self.scale)


def fit_unit(inputs: Tensor, losses: Tensor, index: Tensor, held_out: Tensor, hidden: int) -> UnitFit:
    """Teach a unit of ``hidden`` neurons, at least 2, the index, from a linear start.

    Inputs and losses are as for :func:`fit_index`. Rows ``held_out``, (R,) bool, choose between both
    forms; the index, (L - 1, R), is of the others.
    """
    used = inputs[:, ~held_out].flatten(0, 1).float()
    targets = index.flatten().float()
    mean, scale = float(targets.mean()), float(targets.std()) or 1.0
    centre, spread = used.mean(dim=0), used.std(dim=0)
    # What hardly varies here counts nothing, or another image's value would drown all others.
    spread[~(spread > FLAT * spread.median())] = torch.inf
    x, y = (used - centre) / spread, (targets - mean) / scale
    linear = _linear_start(x, y, hidden)
    gains = losses[held_out, :-1] - losses[held_out, -1:]
    forms, fits = {'linear': linear, 'two layers': _trained(linear, x, y)}, []
    for kind, (first, bias, second, last) in forms.items():
        first = first / spread  # of inputs and index as they are
        layers = (first, bias - first @ centre), (scale * second, scale * last + mean)
        fit = UnitFit(*layers, scale, 0.0, kind)
        found = correlation(fit(inputs.float())[:, held_out].T.double(), gains)
        fits.append(fit._replace(correlation=float(found.mean())))
    return max(fits, key=lambda fit: fit.correlation)


def _linear_start(inputs: Tensor, targets: Tensor, hidden: int) -> list[Tensor]:
    """A linear function as relu(z) - relu(-z); the other neurons are random and count nothing yet."""
    x = inputs.double()
    gram = x.T @ x + 1e-3 * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    weights = torch.linalg.solve(gram, x.T @ targets.double()).float()
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(hidden, inputs.shape[1], generator=generator) / inputs.shape[1] ** 0.5
    first[0], first[1] = weights, -weights
    second = torch.zeros(1, hidden)
    second[0, :2] = torch.tensor([1.0, -1.0])
    return [first, torch.zeros(hidden), second, torch.zeros(1)]


def _trained(start: list[Tensor], x: Tensor, targets: Tensor) -> list[Tensor]:
    weights = [w.clone().requires_grad_() for w in start]
    optimizer = torch.optim.AdamW(weights, lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, STEPS)
    generator = torch.Generator().manual_seed(0)
    for _ in range(STEPS):
        rows = torch.randint(len(x), (min(BATCH, len(x)),), generator=generator)
        hidden = F.relu(F.linear(x[rows], weights[0], weights[1]))
        loss = F.mse_loss(F.linear(hidden, weights[2], weights[3]).squeeze(1), targets[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return [w.detach() for w in weights]
