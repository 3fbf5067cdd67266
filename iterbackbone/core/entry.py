"""Early stages of another network, in place of the stem."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from .layers import Layer, Size, reduced
from .validation import check_bool, check_int

EVEN, ODD = (96, 160), (97, 161)  # sizes of the images that the layers are measured with
POOLS = (nn.MaxPool2d, nn.AvgPool2d)


class Entry(nn.Module):
    """Early stages of another network, in place of stem and pooling.

    Args:
        network: Takes images (B, in_channels, H, W), returns a map (B, C, H/r, W/r), rounded up, or
            a sequence of maps, of which the last one counts.
        in_channels: Channels of the image.
        frozen: Whether it stays in evaluation mode and gets no gradient.

    Attributes:
        layers: Its convolutions and poolings, as called; global pooling is left out.
    """

    def __init__(self, network: nn.Module, in_channels: int = 3, frozen: bool = True) -> None:
        super().__init__()
        if not isinstance(network, nn.Module):
            raise TypeError(f'entry must be a torch.nn.Module, got {network!r}')
        self.network = network
        self.frozen = False
        channels = check_int('in_channels', in_channels, 1)
        self.layers, shape = measured(network, channels)
        self.out_channels = shape[1]
        self.reduction = reduction_of(EVEN, shape[2:])
        if check_bool('entry.frozen', frozen):
            self.freeze()

    def freeze(self) -> None:
        """From now on it stays in evaluation mode and gets no gradient."""
        self.frozen = True
        self.requires_grad_(False)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, C, H/r, W/r), rounded up."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return last_map(self.network(x))

    def train(self, mode: bool = True) -> Entry:
        return super().train(mode and not self.frozen)


def last_map(output: Any) -> Tensor:
    """A network's output, or the last of several."""
    return output[-1] if isinstance(output, Sequence) else output


def measured(network: nn.Module, in_channels: int) -> tuple[list[Layer], torch.Size]:
    """The layers and the output's shape on an image of EVEN, from two runs on empty images.

    ValueError where the output is no map of the image, or a layer does not round its size up.
    """
    layers, sizes, shape = _run(network, in_channels, EVEN)
    _, odd_sizes, _ = _run(network, in_channels, ODD)
    for size, odd in zip(sizes, odd_sizes, strict=True):
        stride = reduction_of(EVEN, size)
        rounded_up = (reduced(EVEN, stride), reduced(ODD, stride))
        if not size == odd == (1, 1) and (size, odd) != rounded_up:  # (1, 1): global pooling
            raise ValueError(
                'entry must round sizes up, as padded convolutions do; one of its layers makes '
                f'{size} of an image of {EVEN}, but {odd} of {ODD}'
            )
    if sizes[-1] == (1, 1):
        raise ValueError(f'entry must return a map of the image, got the shape {tuple(shape)}')
    return layers, shape


@torch.no_grad()
def _run(
    network: nn.Module, in_channels: int, size: Size
) -> tuple[list[Layer], list[tuple[int, ...]], torch.Size]:
    """The layers, the sizes of their outputs and of the network's own, and its shape."""
    layers, sizes = [], []

    def note(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        sizes.append(tuple(output.shape[2:]))
        found = Layer.of(layer, round(size[0] / inputs[0].shape[2]))
        reduction = None if sizes[-1] == (1, 1) else reduction_of(size, sizes[-1])
        layers.append(found._replace(reduction=reduction))

    like = next(network.parameters(), torch.zeros(()))
    image = torch.zeros(1, in_channels, *size, dtype=like.dtype, device=like.device)
    with ExitStack() as stack:  # no copy of the network: some cannot be copied
        for part in network.modules():
            stack.callback(setattr, part, 'training', part.training)
            if isinstance(part, (nn.Conv2d, *POOLS)):
                stack.callback(part.register_forward_hook(note).remove)
        network.eval()
        output = last_map(network(image))
    if not isinstance(output, Tensor) or output.ndim != 4:
        raise ValueError(f'entry must return a map (B, C, H, W), got {type(output).__name__}')
    return layers, [*sizes, tuple(output.shape[2:])], output.shape


def reduction_of(size: Size, after: Sequence[int]) -> int:
    """The stride that makes a map ``after`` of ``size``."""
    return max(1, round(size[0] / after[0]))
