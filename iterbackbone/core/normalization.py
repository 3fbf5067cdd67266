"""What a shared block needs of its per-iteration norms: their start, edge cases, statistics, ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .validation import check_real

NormLayer = Callable[[int], nn.Module]


def per_iteration(norm_layer: NormLayer, channels: int, max_iterations: int) -> nn.ModuleList:
    """One norm for each iteration: shared statistics do not work (paper, Section 3)."""
    return nn.ModuleList(norm_layer(channels) for _ in range(max_iterations))


def checked_last_gamma(value: object, last_relu: bool) -> float:
    """Return ``value`` as float; a gamma of 0 behind which a ReLU follows would never learn."""
    gamma = check_real('last_gamma', value)
    if gamma < 0.0 or (last_relu and gamma == 0.0):
        allowed = 'above 0 (a ReLU follows)' if last_relu else 'at least 0'
        raise ValueError(f'last_gamma must be {allowed}, got {gamma:g}')
    return gamma


def scale_norms(norms: nn.ModuleList, gamma: float) -> None:
    """Start each of ``norms`` with this gamma; ValueError for a norm without, unless it is 1."""
    for norm in norms:
        if getattr(norm, 'weight', None) is not None:
            nn.init.constant_(norm.weight, gamma)  # type: ignore[arg-type]
        elif gamma != 1.0:
            raise ValueError(f'last_gamma must be 1 for a norm without gamma, got {gamma:g}')


def synchronises(norm: nn.Module) -> bool:
    """Whether this norm exchanges statistics between ranks in its present mode."""
    return (
        norm.training
        and 'SyncBatchNorm' in type(norm).__name__
        and torch.distributed.is_available()
        and torch.distributed.is_initialized()
        and torch.distributed.get_world_size(process_group(norm)) > 1
    )


def process_group(norm: nn.Module) -> torch.distributed.ProcessGroup | None:
    """Of a synchronising norm: torch names it process_group, mmcv group."""
    group = getattr(norm, 'process_group', None)
    return group if group is not None else getattr(norm, 'group', None)


def any_on_ranks(flag: Tensor, norm: nn.Module) -> bool:
    """Whether any rank of the norm's group has a True in ``flag`` ((B,) bool)."""
    agreed = flag.any().to(torch.int32)
    torch.distributed.all_reduce(agreed, op=torch.distributed.ReduceOp.MAX, group=process_group(norm))
    return bool(agreed)


def normalise(norm: nn.Module, x: Tensor) -> Tensor:
    """``norm(x)`` of (B, C, H, W), by running statistics where the batch has none for BatchNorm.

    In training it raises on one value per channel (one running image at 1x1), and an empty batch
    would turn its running statistics into NaN. The parameters stay in the graph.
    """
    no_statistics = x.numel() <= x.shape[1] and norm.training and not synchronises(norm)
    if no_statistics and isinstance(norm, _BatchNorm) and norm.track_running_stats:
        return F.batch_norm(
            x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps
        )
    return norm(x)


class FrozenStatistics(AbstractContextManager):
    """Lets BatchNorms normalise by the batch without updating their running statistics.

    The norms go on doing the same operations (with momentum 0), as activation checkpointing requires.
    """

    def __init__(self, norms: Iterable[nn.Module]) -> None:
        counting = (n for n in norms if getattr(n, 'num_batches_tracked', None) is not None)
        self._norms: list[Any] = list(counting)
        self._saved = [(n.momentum, n.num_batches_tracked) for n in self._norms]

    def __enter__(self) -> None:
        for norm in self._norms:
            norm.momentum, norm.num_batches_tracked = 0.0, norm.num_batches_tracked.clone()

    def __exit__(self, *_: object) -> None:
        for norm, (momentum, batches) in zip(self._norms, self._saved, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, batches


def set_norms_eval(module: nn.Module) -> None:
    """Put every BatchNorm below ``module`` into evaluation mode."""
    for child in module.modules():
        if isinstance(child, _BatchNorm):
            child.eval()


def last_trained(norms: Iterable[nn.Module]) -> int | None:
    """How many of the first ``norms`` have statistics that training has written.

    None for a freshly built network or norms that do not count batches. The counter alone does not say
    so: averaged weights (EMA) keep that of their first step, and old checkpoints lack it.
    """
    for number, norm in reversed(list(enumerate(norms, start=1))):  # in trained networks one look
        counter, mean = (getattr(norm, x, None) for x in ('num_batches_tracked', 'running_mean'))
        if counter is not None and mean is not None and torch.logical_or(counter > 0, mean.any()):
            return number
    return None
