"""Shares a block's iterations out by how hard each row still is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def due_share(gradient_size: Tensor) -> Tensor:
    """Each row's due, as a multiple of the batch's mean, by rank.

    Args:
        gradient_size: (B,), norm of the task loss's gradient at each row's features.

    Returns:
        (B,) from 0 for the smallest gradient (the easiest row) evenly up to 2 for the
        largest; the mean is 1. One row alone is due the mean.
    """
    if len(gradient_size) < 2:
        return torch.ones_like(gradient_size)
    return 2 * gradient_size.argsort().argsort().float() / (len(gradient_size) - 1)


def price_of(iterations: Tensor, limits: Tensor, due: Tensor) -> Tensor:
    """What a row pays for an iteration of a block: its excess over its due.

    Args:
        iterations: N, (B, K) int64.
        limits: L' of each block, (K,).
        due: See :func:`due_share`, (B,).

    Returns:
        (N - due * mean N) / L', (B, K) float32 in [-2, 1]; the mean over the rows is 0, so
        iterations change hands and their number stays. It vanishes where every row has what
        it is due: units that cannot tell rows apart are pulled to the mean, not to the ends.
    """
    counts = iterations.float()
    return (counts - due.unsqueeze(1) * counts.mean(dim=0)) / limits


class PricedCost(torch.autograd.Function):
    """Identity on the ponder cost and the features whose backward prices the cost.

    The gradient that reaches the ponder cost is multiplied by :func:`price_of`, with dues from
    the gradient that reaches the rows' features in the same backward pass. So what decides
    is the task loss, whatever the task, and no loss per image has to be known.
    """

    @staticmethod
    def forward(
        ctx: Any, ponder_cost: Tensor, iterations: Tensor, limits: Tensor, *features: Tensor
    ) -> tuple[Tensor, ...]:
        """(B, K) cost and the (B, C, H, W) features, unchanged."""
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(iterations, limits)
        return ponder_cost.view_as(ponder_cost), *(f.view_as(f) for f in features)

    @staticmethod
    def backward(ctx: Any, cost: Tensor | None, *features: Tensor | None) -> tuple:
        """Price the cost's gradient, hand on the features'."""
        squares = [f.flatten(1).float().square().sum(dim=1) for f in features if f is not None]
        if cost is not None and squares:
            iterations, limits = ctx.saved_tensors
            cost = cost * price_of(iterations, limits, due_share(torch.stack(squares).sum(dim=0)))
        return cost, None, None, *features
