"""Switches a network to its inference form and back."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..block import IterativeBlock
from ..execution import BlockResult
from ..settings import RunSettings
from ..stage import ConvNorm
from .block_form import BlockForm
from .folding import affine_of
from .kernels import conv_norm_relu
from .loop import run_form
from .loop_ahead import run_ahead


class ConvNormForm:
    """The inference form of a convolution with its norm and ReLU."""

    def __init__(self, layer: ConvNorm) -> None:
        self.layer = layer
        self.norm = affine_of(layer.norm).scaled_sum()

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        x = x.contiguous(memory_format=torch.channels_last)
        conv = self.layer.conv
        return conv_norm_relu(x, conv.weight.to(x.dtype), self.norm, conv)


class IterativeBlockForm:
    """The inference form of an iterative block."""

    def __init__(self, block: IterativeBlock) -> None:
        self.form = BlockForm(block)

    @torch.no_grad()
    def __call__(self, state: Tensor, limit: int, settings: RunSettings) -> BlockResult:
        run = run_ahead if state.is_cuda else run_form
        with torch.autocast(state.device.type, enabled=False):
            return run(self.form, state, limit, settings)


@torch.inference_mode(False)
def attach_forms(network: nn.Module) -> None:
    """Run every part of ``network`` that has an inference form in it; also renews old forms.

    Raises:
        ValueError: a norm cannot be folded; nothing is changed then.
    """
    layers = [(part, ConvNormForm(part)) for part in network.modules() if isinstance(part, ConvNorm)]
    blocks = [(part, IterativeBlockForm(part)) for part in _blocks(network)]
    for layer, layer_form in layers:
        layer.form = layer_form
    for block, block_form in blocks:
        block.form = block_form
    _lay_out(network, torch.channels_last)


@torch.inference_mode(False)
def detach_forms(network: nn.Module) -> None:
    """Run ``network`` as it was built."""
    _lay_out(network, torch.contiguous_format)
    for part in network.modules():
        if isinstance(part, (ConvNorm, IterativeBlock)):
            part.form = None


def _lay_out(network: nn.Module, memory_format: torch.memory_format) -> None:
    """Store kernels as the convolutions want them; else every call would copy them."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            part.weight.data = part.weight.data.contiguous(memory_format=memory_format)


def _blocks(network: nn.Module) -> Iterator[IterativeBlock]:
    return (part for part in network.modules() if isinstance(part, IterativeBlock))
