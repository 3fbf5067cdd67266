"""Prices iterations by how hard a row still is: easy rows pay, hard rows are paid."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def price_of(gradient_size: Tensor) -> Tensor:
    """Price of an iteration, by rank within the batch.

    Args:
        gradient_size: (B,), norm of the task loss's gradient at each row's features.

    Returns:
        (B,) from 1 for the smallest gradient (the easiest row) evenly down to -1 for the
        largest; the mean is 0. One row alone has the price 0.
    """
    if len(gradient_size) < 2:
        return torch.zeros_like(gradient_size)
    place = gradient_size.argsort().argsort().to(gradient_size.dtype)
    return 1 - 2 * place / (len(gradient_size) - 1)


class PricedCost(torch.autograd.Function):
    """Identity on the ponder cost and the features whose backward prices the cost.

    The gradient that reaches the ponder cost is multiplied by :func:`price_of` the gradient
    that reaches the row's features in the same backward pass. So what decides is the task
    loss, whatever the task, and no loss per image has to be known.
    """

    @staticmethod
    def forward(ctx: Any, ponder_cost: Tensor, *features: Tensor) -> tuple[Tensor, ...]:
        """(B, K) cost and the (B, C, H, W) features, unchanged."""
        ctx.set_materialize_grads(False)
        return ponder_cost.view_as(ponder_cost), *(f.view_as(f) for f in features)

    @staticmethod
    def backward(ctx: Any, cost: Tensor | None, *features: Tensor | None) -> tuple:
        """Price the cost's gradient, hand on the features'."""
        squares = [f.flatten(1).float().square().sum(dim=1) for f in features if f is not None]
        if cost is not None and squares:
            cost = cost * price_of(torch.stack(squares).sum(dim=0)).unsqueeze(1)
        return cost, *features
