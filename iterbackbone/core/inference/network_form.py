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
from .folding import affine_of, conv_norm_relu
from .loop import run_form
from .loop_ahead import run_ahead


class ConvNormForm:
    """The inference form of a convolution with its norm and ReLU."""

    def __init__(self, layer: ConvNorm) -> None:
        self.layer = layer
        self.affine = affine_of(layer.norm)

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        x = x.contiguous(memory_format=torch.channels_last)
        return conv_norm_relu(x, self.layer.conv, self.affine)


class IterativeBlockForm:
    """The inference form of an iterative block."""

    def __init__(self, block: IterativeBlock) -> None:
        self.form = BlockForm(block)

    @torch.no_grad()
    def __call__(self, state: Tensor, limit: int, settings: RunSettings) -> BlockResult:
        run = run_ahead if state.is_cuda else run_form
        return run(self.form, state, limit, settings)


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


def detach_forms(network: nn.Module) -> None:
    """Run ``network`` as it was built."""
    for part in network.modules():
        if isinstance(part, (ConvNorm, IterativeBlock)):
            part.form = None


def _blocks(network: nn.Module) -> Iterator[IterativeBlock]:
    return (part for part in network.modules() if isinstance(part, IterativeBlock))
