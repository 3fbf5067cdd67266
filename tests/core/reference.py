"""Algorithm 1 of the paper, one image at a time, as it is printed: a weighted sum of states."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def run_image(net: nn.Module, image: Tensor) -> tuple[list[Tensor], list[int], list[Tensor]]:
    """Features of each stage, N and ponder cost of each block, for one (1, 3, H, W) image."""
    x = net.pool(F.relu(net.stem.norm(net.stem.conv(image))))
    features, iterations, costs = [], [], []
    for stage in net.stages:
        x = F.relu(stage.transition.norm(stage.transition.conv(x)))
        for block in stage.blocks:
            x, n, cost = run_block(block, x, net.epsilon)
            iterations.append(n)
            costs.append(cost)
        features.append(x)
    return features, iterations, costs


def run_block(block: nn.Module, state: Tensor, epsilon: float) -> tuple[Tensor, int, Tensor]:
    """Weighted sum of the states, N and N + R of one block for one image."""
    states, weights = [], []
    total, remainder = 0.0, torch.ones(())
    for i in range(block.max_iterations):
        output = residual(block, state, i)
        state = state + output
        states.append(state)
        last = i == block.max_iterations - 1
        score = torch.ones(()) if last else halting_score(block.halting, state, output)
        total = total + score
        if total < 1 - epsilon:
            weights.append(score)
            remainder = remainder - score
        else:
            weights.append(remainder)
            break
    weighted = sum(w * s for w, s in zip(weights, states, strict=True))
    return weighted, len(states), len(states) + remainder


def residual(block: nn.Module, state: Tensor, i: int) -> Tensor:
    """F_i: 1x1, 3x3, 1x1, each with the norm of iteration i and a ReLU, the last perhaps without."""
    x = F.relu(block.norm1[i](block.conv1(state)))
    if isinstance(block.conv2, nn.Conv2d):
        x = block.conv2(x)
    else:
        x = block.conv2.pointwise(F.relu(block.conv2.norm[i](block.conv2.depthwise(x))))
    x = F.relu(block.norm2[i](x))
    y = block.norm3[i](block.conv3(x))
    return F.relu(y) if block.last_relu else y


def halting_score(unit: nn.Module, state: Tensor, output: Tensor) -> Tensor:
    """Pool both, concatenate, 64 hidden neurons, sigmoid."""
    pooled = torch.cat([F.adaptive_avg_pool2d(t, 1).flatten() for t in (state, output)])
    return torch.sigmoid(unit.fc2(F.relu(unit.fc1(pooled)))).squeeze()
