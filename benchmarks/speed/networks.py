"""ResNet-152 in its usual forms, and ours at a number of iterations."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from mmcv.cnn import fuse_conv_bn
from mmdet.models import ResNet
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from iterbackbone import IterativeResNet
from iterbackbone.core.macs import mac_table

from .budgets import Cap, iterations_at, set_cap

BASELINES = ('eager', 'folded', 'compiled')


def image(batch: int, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
    return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(0)).to(dtype)


def resnet(depth: int = 152) -> BaseModule:
    """mmdet's, with random weights, in evaluation."""
    torch.manual_seed(0)
    network = ResNet(depth, frozen_stages=-1, norm_eval=False)
    network.eval()
    return network


def baselines(x: Tensor, names: tuple[str, ...] = BASELINES) -> dict[str, Callable[[], object]]:
    """A run of each: as mmdet has it, BatchNorm folded and channels_last, torch.compile'd."""
    runs: dict[str, Callable[[], object]] = {}
    last = x.contiguous(memory_format=torch.channels_last)
    for name in names:
        network = resnet().to(x.dtype)
        if name == 'eager':
            runs[name] = lambda network=network: network(x)
        if name == 'folded':
            folded = fuse_conv_bn(network).to(memory_format=torch.channels_last)
            runs[name] = lambda network=folded: network(last)
        if name == 'compiled':
            runs[name] = compiled(network, x)
    return runs


def compiled(network: nn.Module, x: Tensor) -> Callable[[], object]:
    """``torch.compile``'d and warmed up; prints what that took."""
    started = time.perf_counter()
    fast = torch.compile(network)
    with torch.inference_mode():
        fast(x)
    print(f'torch.compile took {time.perf_counter() - started:.0f} s', flush=True)
    return lambda: fast(x)


def iterative_152(**options: Any) -> IterativeResNet:
    """With the paper's block."""
    return IterativeResNet(depth=152, last_gamma=1.0, last_relu=True, **options)


def iterative(optimized: bool, dtype: torch.dtype) -> IterativeResNet:
    """IterativeResNet-152 with random weights: it runs all iterations that its budget allows."""
    torch.manual_seed(0)
    return iterative_152().eval().to(dtype).optimize_for_inference(optimized)


def at_most(network: IterativeResNet, cap: Cap, x: Tensor) -> Callable[[], object]:
    """A run under ``cap``."""

    def run() -> object:
        set_cap([network], cap)
        return network(x)

    return run


def macs_at(network: IterativeResNet, cap: Cap, size: tuple[int, int]) -> int:
    """MACs of one image under ``cap``."""
    return mac_table(network, size).total(iterations_at(network.max_iterations, cap))


def macs_of(network: nn.Module, size: tuple[int, int]) -> int:
    """MACs of one image as torch counts them."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(image(1, size, torch.float32))
    return counter.get_total_flops() // 2
