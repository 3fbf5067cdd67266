"""Switches a network to its inference form and back."""

from __future__ import annotations

import warnings
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..core.block import DepthwiseSeparableConv, IterativeBlock
from ..core.halting import HaltingUnit, ScoreLayer
from ..core.loop import BlockResult, RunSettings
from ..core.stage import ConvNorm
from .folding import FoldedNorms
from .kernels import conv_norm_relu
from .loop import BlockRun, run_form

CALLS = (_BatchNorm, nn.SyncBatchNorm, nn.Conv2d, DepthwiseSeparableConv, HaltingUnit, ScoreLayer)
Part = ConvNorm | IterativeBlock
KNOWN = frozenset(kind.forward for kind in CALLS)


class PartForm:
    """Of a part of the network; holds folded norms, no weights; ValueError if one cannot be folded."""

    def __init__(self, part: Part) -> None:
        self._norms = FoldedNorms()
        self._norms(norms_of(part))

    def serves(self, part: Part) -> bool:
        """Whether ``part`` is in evaluation mode and unchanged; else it is run as it was built."""
        training = part.training or any(norm.training for norm in norms_of(part))
        return not training and only_built_in(part)


class ConvNormForm(PartForm):
    """Of a convolution with its norm and ReLU."""

    @torch.no_grad()
    def __call__(self, layer: ConvNorm, x: Tensor) -> Tensor:
        if x.dtype != torch.float64:  # as autocast does
            x = x.to(_autocast_type(x.device.type) or x.dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        (norm,) = self._norms([layer.norm])
        return conv_norm_relu(x, layer.conv.weight.to(x.dtype), norm, layer.conv)


class BlockForm(PartForm):
    """Of an iterative block; each call is one :class:`~iterbackbone.inference.loop.BlockRun`."""

    @torch.no_grad()
    def __call__(
        self, block: IterativeBlock, state: Tensor, limit: int, settings: RunSettings
    ) -> BlockResult:
        norms = self._norms(norms_of(block, limit))
        with torch.autocast(state.device.type, enabled=False):
            run = BlockRun(block, norms, limit, (state.shape[2], state.shape[3]))
            return run_form(run, state, settings, late=state.is_cuda)


@torch.inference_mode(False)
def attach_forms(network: nn.Module) -> None:
    """Run every part that has a form in it; ValueError, and nothing changed, for a norm without one."""
    parts = _parts(network)
    forms: list[PartForm] = [
        ConvNormForm(p) if isinstance(p, ConvNorm) else BlockForm(p) for p in parts.values()
    ]
    for part, form in zip(parts.values(), forms, strict=True):
        part.form = form
    _lay_out(network, torch.channels_last)
    changed = [name for name, part in parts.items() if not only_built_in(part)]
    if changed:
        warnings.warn(
            'optimize_for_inference leaves parts as they were built, where a hook, another class or '
            f'a bias changes what they compute: {", ".join(changed)}',
            stacklevel=3,
        )


@torch.inference_mode(False)
def detach_forms(network: nn.Module) -> None:
    """Run all as it was built."""
    _lay_out(network, torch.contiguous_format)
    for part in _parts(network).values():
        part.form = None


def norms_of(part: Part, limit: int | None = None) -> list[nn.Module]:
    """Those of the first ``limit`` iterations, sorted by convolution."""
    if isinstance(part, ConvNorm):
        return [part.norm]
    return [norm for _, norms in part.layers() for norm in islice(norms, limit)]


def only_built_in(part: Part) -> bool:
    """Whether nothing was added to or exchanged in ``part`` since it was built.

    Parametrizations are no change: the forms read the weight. Looked at in every call, so that later
    changes count too.
    """
    others = norms_of(part)
    if isinstance(part, ConvNorm):
        convs: list[nn.Module] = [part.conv]
    else:
        convs = [conv for conv, _ in part.layers()]
        unit = part.halting
        others += [part.conv2, *([] if unit is None else (unit, unit.fc1, unit.fc2))]
    changed = any(
        module._forward_hooks
        or module._forward_pre_hooks
        or 'forward' in module.__dict__
        or type(module).forward not in KNOWN
        for module in [*convs, *others]
    )
    return not changed and all(conv.bias is None and conv.padding_mode == 'zeros' for conv in convs)


def _autocast_type(device: str) -> torch.dtype | None:
    """None where autocast is off."""
    if hasattr(torch, 'get_autocast_dtype'):
        return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    if device == 'cpu':  # torch before 2.4
        return torch.get_autocast_cpu_dtype() if torch.is_autocast_cpu_enabled() else None
    return torch.get_autocast_gpu_dtype() if torch.is_autocast_enabled() else None


def _parts(network: nn.Module) -> dict[str, Part]:
    named = network.named_modules()
    return {name: part for name, part in named if isinstance(part, (ConvNorm, IterativeBlock))}


def _lay_out(network: nn.Module, memory_format: torch.memory_format) -> None:
    """Store kernels as the convolutions want them; else every call would copy them."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            part.weight.data = part.weight.data.contiguous(memory_format=memory_format)
