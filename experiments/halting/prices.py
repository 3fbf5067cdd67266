"""Iterations priced by how hard a row still is; not part of the package."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from modules import blocks
from torch import Tensor, nn


class _Priced(torch.autograd.Function):
    """Identity on the ponder cost and the features.

    Backward multiplies the cost's gradient by ``price(norm of each row's task gradient)``, which
    gives (B,) or (B, K).
    """

    @staticmethod
    def forward(ctx: Any, price: Any, cost: Tensor, *features: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.price = price
        return cost.view_as(cost), *(f.view_as(f) for f in features)

    @staticmethod
    def backward(ctx: Any, cost: Tensor, *features: Tensor) -> tuple:
        squares = [f.flatten(1).square().sum(dim=1) for f in features]
        return None, cost * ctx.price(torch.stack(squares).sum(dim=0).sqrt()), *features


def inverse(size: Tensor, limit: float = 10.0) -> Tensor:
    """Rows with a small task gradient (easy ones) pay more, hard ones less; the mean is 1."""
    easy = (size.mean() / size.clamp_min(1e-12)).clamp(1 / limit, limit)
    return easy / easy.mean()


def rank(size: Tensor) -> Tensor:
    """From 1 for the row with the smallest task gradient to -1 for the largest; the mean is 0."""
    place = size.argsort().argsort().to(size.dtype)
    return 1 - 2 * place / max(len(size) - 1, 1) if len(size) > 1 else torch.zeros_like(size)


@HOOKS.register_module()
class PriceHook(Hook):
    """Easy rows pay more for an iteration than hard ones, by the norm of their task gradient."""

    def __init__(self, by: str) -> None:
        self.price = {'inverse': inverse, 'rank': rank}[by]

    def before_train(self, runner: Any) -> None:
        for block in blocks(runner.model):
            block.register_forward_hook(self._priced)

    def _priced(self, block: nn.Module, _: Any, result: Any) -> Any:
        if not (block.training and result.ponder_cost.requires_grad):
            return None
        cost, output = _Priced.apply(self.price, result.ponder_cost, result.output)
        return result._replace(output=output, ponder_cost=cost)


@HOOKS.register_module()
class NetworkPriceHook(Hook):
    """The same with one price for all blocks of a row, from the gradient at the backbone's output.

    Adds a cost that sums to zero over a batch, by ``'rank'`` or by the excess over the ``'due'``:
    from 0 for the row with the smallest gradient to twice the batch's mean for the largest.
    """

    def __init__(self, by: str, weight: float) -> None:
        self.by, self.weight = by, weight

    def before_train(self, runner: Any) -> None:
        runner.model.backbone.register_forward_hook(self._price)
        runner.model.register_forward_hook(self._add_loss, with_kwargs=True)

    def _price(self, module: Any, _: Any, features: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        trace = module.trace
        if not trace.ponder_cost.requires_grad:
            return None

        def price(size: Tensor) -> Tensor:
            if self.by == 'rank':
                return rank(size).unsqueeze(1)
            counts = trace.iterations.float()  # by due: the excess over the row's due
            due = (1 - rank(size)).unsqueeze(1) * counts.mean(dim=0)
            return (counts - due) / torch.tensor(trace.limits)

        cost, *features = _Priced.apply(price, trace.ponder_cost, *features)
        self.cost = cost.sum(dim=1).mean()
        return tuple(features)

    def _add_loss(self, _: nn.Module, __: Any, kwargs: dict, output: Any) -> Any:
        if kwargs.get('mode') != 'loss':
            return None
        return {**output, 'loss_price': self.weight * (self.cost - self.cost.detach())}
