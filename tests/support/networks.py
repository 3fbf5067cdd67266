"""Tiny networks and inputs whose images halt at different iterations."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from iterbackbone import IterativeResLayer, IterativeResNet

MAX_ITERATIONS = (2, 3, 5, 2)
CHANNELS = (8, 16, 32, 64)  # of the four stages: 4 * 2 ** k * expansion


def tiny_net(**options) -> IterativeResNet:
    """base_channels 4, expansion 2, L = 2, 3, 5, 2."""
    options = {'base_channels': 4, 'expansion': 2, 'stem': 'cifar', **options}
    return IterativeResNet(**{'max_iterations': MAX_ITERATIONS, **options})


def tiny_layer(**options) -> IterativeResLayer:
    """Stage 3 of :func:`tiny_net`: 32 -> 64 channels, L = 4."""
    return IterativeResLayer(**{'base_channels': 4, 'expansion': 2, 'max_iterations': 4, **options})


@torch.no_grad()
def varied(net: nn.Module, x: Tensor, gain: float = 1.0) -> nn.Module:
    """Make every iteration's norms differ, and the rows of ``x`` halt at different iterations.

    Args:
        gain: Of the norms: where iterations are many, 1 lets the states grow without bounds.
    """
    for module in net.modules():
        if isinstance(module, (_BatchNorm, nn.GroupNorm)):
            nn.init.uniform_(module.weight, 0.5 * gain, 1.5 * gain)
            nn.init.normal_(module.bias, 0.0, 0.3)
        if isinstance(module, _BatchNorm):
            nn.init.normal_(module.running_mean, 0.0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    training = net.training
    net.eval()
    for block in blocks(net):
        if block.halting is not None:
            _spread_scores(net, block.halting, x)
    net.drop_trace()
    return net.train(training)


def _spread_scores(net: nn.Module, unit: nn.Module, x: Tensor) -> None:
    """Give the scores' logits a spread of 1.5 over the rows, but no drift over the iterations."""
    seen = []
    hook = unit.register_forward_hook(
        lambda module, pooled, score: seen.append(unit.fc1(torch.cat(pooled, dim=1)).relu())
    )
    nn.init.zeros_(unit.fc2.weight)
    nn.init.constant_(unit.fc2.bias, -20.0)
    net(x)
    hook.remove()
    hidden = torch.stack(seen)  # (L - 1, B, hidden)
    drift = hidden.mean(dim=1) - hidden.mean(dim=(0, 1))  # what differs between iterations only
    weight = torch.randn(hidden.shape[2])
    if len(drift) > 1:
        weight -= torch.linalg.pinv(drift, rtol=1e-4) @ (drift @ weight)
    logits = hidden @ weight
    scale = 1.5 / logits.std()
    unit.fc2.weight.copy_(weight * scale)
    threshold = torch.tensor(1.0 - net.epsilon)
    level = threshold.logit() if len(seen) == 1 else -0.8  # of two iterations one can be skipped
    unit.fc2.bias.fill_(level - scale * logits.mean())


def images(count: int, height: int = 32, width: int = 32, channels: int = 3) -> Tensor:
    """(count, channels, height, width), every one with its own contrast and brightness."""
    contrast = torch.rand(count, 1, 1, 1) * 3
    return torch.randn(count, channels, height, width) * contrast + torch.randn(count, channels, 1, 1)


def blocks(net: nn.Module) -> list[nn.Module]:
    """All iterative blocks, in the network's order."""
    return [block for stage in net.iterative_stages() for block in stage.blocks]


def stop_at_once(net: nn.Module) -> nn.Module:
    """Let every image halt at iteration 1 of every block."""
    for block in blocks(net):
        nn.init.zeros_(block.halting.fc2.weight)
        nn.init.constant_(block.halting.fc2.bias, 20.0)
    return net


def loss_of(net: nn.Module, features: tuple[Tensor, ...], weight: float = 0.1) -> Tensor:
    """A loss in which every feature and every ponder cost counts, each image on its own."""
    task = sum((f * f).mean(dim=(1, 2, 3)).sum() for f in features)
    return task + weight * net.ponder_cost().sum()


def statistics(net: nn.Module) -> dict[str, Tensor]:
    """A copy of all running statistics."""
    return {name: buffer.clone() for name, buffer in net.named_buffers()}


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """Largest difference, as a share of the largest expected magnitude."""
    assert actual.shape == expected.shape
    return float((actual - expected).detach().abs().max() / expected.detach().abs().max())


def count_conv2(net: nn.Module, x: Tensor) -> tuple[list[int], list[int]]:
    """Calls of each block's 3x3 convolution, and rows that went through it."""
    calls, rows = [], []
    hooks = []
    for k, block in enumerate(blocks(net)):
        calls.append(0)
        rows.append(0)

        def count(module, args, output, k=k):
            calls[k] += 1
            rows[k] += len(args[0])

        hooks.append(block.conv2.register_forward_hook(count))
    with torch.no_grad():
        net(x)
    for hook in hooks:
        hook.remove()
    return calls, rows
