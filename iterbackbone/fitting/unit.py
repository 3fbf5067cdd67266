"""A block's predictions inside its halting unit: two linear layers and a sigmoid."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.halting import HaltingUnit
from .index import BlockSamples
from .ridge import correlation

SHARPNESS = 100.0  # logits per standard deviation of the index: scores are 0 or 1 but for 2% of rows
FLAT = 1e-3  # of the median standard deviation
STEPS = 600
BATCH = 1024


class UnitFit(NamedTuple):
    """A unit's weights, scaled so that the output is the index in standard deviations."""

    fc1: tuple[Tensor, Tensor]  # weight (hidden, D) and bias (hidden,)
    fc2: tuple[Tensor, Tensor]  # weight (1, hidden) and bias (1,)
    mean: float  # the index is ``mean + scale * output``
    scale: float
    correlation: float  # with the true gain of all further iterations on held-out rows
    kind: str  # 'linear' or 'two layers'

    def __call__(self, inputs: Tensor) -> Tensor:
        """The index: (..., D) -> (...)."""
        hidden = F.relu(F.linear(inputs, *self.fc1))
        return self.mean + self.scale * F.linear(hidden, *self.fc2).squeeze(-1)

    def offset(self, price: float) -> float:
        """Of the unit's logit at a price."""
        return SHARPNESS * (price - self.mean) / self.scale

    @torch.no_grad()
    def install(self, unit: HaltingUnit) -> None:
        """Write the weights; without an offset the price is 0: stop where nothing is gained."""
        unit.fc1.weight.copy_(self.fc1[0])
        unit.fc1.bias.copy_(self.fc1[1])
        unit.fc2.weight.copy_(-SHARPNESS * self.fc2[0])
        unit.fc2.bias.copy_(-SHARPNESS * self.fc2[1] + self.offset(0.0))


def fit_unit(samples: BlockSamples, index: Tensor, held_out: Tensor, hidden: int) -> UnitFit:
    """Teach a unit of ``hidden`` neurons, at least 2, the index, from a linear start.

    Rows ``held_out``, (N,) bool, choose between both forms; the index, (L - 1, R), is of the others.
    """
    inputs = samples.inputs[:, ~held_out].flatten(0, 1).float()
    targets = index.flatten().float()
    mean, scale = float(targets.mean()), float(targets.std()) or 1.0
    centre, spread = inputs.mean(dim=0), inputs.std(dim=0)
    # What hardly varies here counts nothing, or another image's value would drown all others.
    spread[~(spread > FLAT * spread.median())] = torch.inf
    x, y = (inputs - centre) / spread, (targets - mean) / scale
    linear = _linear_start(x, y, hidden)
    gains = samples.losses[held_out, :-1].double() - samples.losses[held_out, -1:].double()
    fits = []
    for kind, weights in (('linear', linear), ('two layers', _trained(linear, x, y))):
        first, bias, second, last = weights
        first = first / spread  # of inputs as they are
        fit = UnitFit((first, bias - first @ centre), (second, last), mean, scale, 0.0, kind)
        found = correlation(fit(samples.inputs.float())[:, held_out].T.double(), gains)
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
