"""Switches a network to its inference form and back."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from ..core.block import IterativeBlock
from ..core.loop import BlockResult
from ..core.settings import RunSettings
from ..core.stage import ConvNorm
from .block_run import BlockRun, norms_of
from .built import only_built_in
from .folding import FoldedNorms
from .kernels import conv_norm_relu
from .loop import run_form


class ConvNormForm:
    """The inference form of a convolution with its norm and ReLU; holds folded norms, no weights."""

    def __init__(self) -> None:
        self._norms = FoldedNorms()

    def serves(self, layer: ConvNorm) -> bool:
        """Whether ``layer`` is in evaluation mode and unchanged; else it is run as it was built."""
        return not layer.training and not layer.norm.training and only_built_in(layer)

    def check(self, layer: ConvNorm) -> None:
        """Raise ValueError where the norm cannot be folded."""
        self._norms([layer.norm])

    @torch.no_grad()
    def __call__(self, layer: ConvNorm, x: Tensor) -> Tensor:
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        x = x.contiguous(memory_format=torch.channels_last)
        (norm,) = self._norms([layer.norm])
        return conv_norm_relu(x, layer.conv.weight.to(x.dtype), norm, layer.conv)


class BlockForm:
    """The inference form of an iterative block; holds folded norms, no weights.

    Each call is one :class:`~iterbackbone.inference.block_run.BlockRun`.
    """

    def __init__(self) -> None:
        self._norms = FoldedNorms()

    def serves(self, block: IterativeBlock) -> bool:
        """Whether ``block`` is in evaluation mode and unchanged; else it is run as it was built."""
        if block.training or not only_built_in(block):
            return False
        return not any(norm.training for norm in norms_of(block, block.max_iterations))

    def check(self, block: IterativeBlock) -> None:
        """Raise ValueError where a norm cannot be folded."""
        self._norms(norms_of(block, block.max_iterations))

    @torch.no_grad()
    def __call__(
        self, block: IterativeBlock, state: Tensor, limit: int, settings: RunSettings
    ) -> BlockResult:
        norms = self._norms(norms_of(block, limit))
        with torch.autocast(state.device.type, enabled=False):
            run = BlockRun(block, norms, limit)
            return run_form(run, state, limit, settings, late=state.is_cuda)


@torch.inference_mode(False)
def attach_forms(network: nn.Module) -> None:
    """Run every part of ``network`` that has an inference form in it.

    Raises:
        ValueError: a norm cannot be folded; nothing is changed then.
    """
    forms: list[tuple[ConvNorm, ConvNormForm] | tuple[IterativeBlock, BlockForm]] = []
    for part in network.modules():
        if isinstance(part, ConvNorm):
            forms.append((part, ConvNormForm()))
        elif isinstance(part, IterativeBlock):
            forms.append((part, BlockForm()))
    for part, form in forms:
        form.check(part)  # type: ignore[arg-type]
    for part, form in forms:
        part.form = form
    _lay_out(network, torch.channels_last)
    changed = [name for name, part in network.named_modules() if not _is_unchanged(part)]
    if changed:
        warnings.warn(
            'optimize_for_inference leaves parts as they were built, where a hook, another class or '
            f'a bias changes what they compute: {", ".join(changed)}',
            stacklevel=3,
        )


@torch.inference_mode(False)
def detach_forms(network: nn.Module) -> None:
    """Run ``network`` as it was built."""
    _lay_out(network, torch.contiguous_format)
    for part in network.modules():
        if isinstance(part, (ConvNorm, IterativeBlock)):
            part.form = None


def _is_unchanged(part: nn.Module) -> bool:
    return not isinstance(part, (ConvNorm, IterativeBlock)) or only_built_in(part)


def _lay_out(network: nn.Module, memory_format: torch.memory_format) -> None:
    """Store kernels as the convolutions want them; else every call would copy them."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            part.weight.data = part.weight.data.contiguous(memory_format=memory_format)
