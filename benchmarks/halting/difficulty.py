"""Iterations priced by how hard a row still is, as seen at the backbone's output.

What remedies.PriceHook does block by block, with one price for all blocks of a row.
"""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from remedies import rank
from torch import Tensor, nn


def due_share(size: Tensor) -> Tensor:
    """A row's due as a multiple of the mean, (B,): 0 for the smallest gradient, 2 for the largest."""
    return 1 - rank(size)


class _Priced(torch.autograd.Function):
    """Identity on the ponder cost and the features whose backward prices the cost."""

    @staticmethod
    def forward(
        ctx: Any, cost: Tensor, iterations: Tensor, limits: Tensor, by: str, *features: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.by, ctx.iterations, ctx.limits = by, iterations.float(), limits
        return cost.view_as(cost), *(f.view_as(f) for f in features)

    @staticmethod
    def backward(ctx: Any, cost: Tensor, *features: Tensor) -> tuple:
        size = torch.stack([f.flatten(1).square().sum(dim=1) for f in features]).sum(dim=0)
        if ctx.by == 'rank':
            price = rank(size).unsqueeze(1)
        else:  # by due: the excess over the row's due
            mean = ctx.iterations.mean(dim=0)
            price = (ctx.iterations - due_share(size).unsqueeze(1) * mean) / ctx.limits
        return cost * price, None, None, None, *features


@HOOKS.register_module()
class NetworkPriceHook(Hook):
    """Adds a cost that sums to zero over a batch, by ``'rank'`` or by the excess over the ``'due'``."""

    def __init__(self, by: str, weight: float) -> None:
        self.by, self.weight = by, weight

    def before_train(self, runner: Any) -> None:
        runner.model.backbone.register_forward_hook(self._price)
        runner.model.register_forward_hook(self._add_loss, with_kwargs=True)

    def _price(self, module: Any, _: Any, features: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        trace = module.trace
        if not trace.ponder_cost.requires_grad:
            return None
        limits = torch.tensor(trace.limits)
        cost, *features = _Priced.apply(trace.ponder_cost, trace.iterations, limits, self.by, *features)
        self.cost = cost.sum(dim=1).mean()
        return tuple(features)

    def _add_loss(self, _: nn.Module, __: Any, kwargs: dict, output: Any) -> Any:
        if kwargs.get('mode') != 'loss':
            return None
        return {**output, 'loss_price': self.weight * (self.cost - self.cost.detach())}
