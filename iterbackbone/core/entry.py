"""Early stages of another network, in place of the stem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .validation import check_bool, check_int

EVEN, ODD = (96, 160), (97, 161)  # sizes of the images that the layers are measured with
POOLS = (nn.MaxPool2d, nn.AvgPool2d)


class EntryLayer(NamedTuple):
    """A convolution or pooling of an entry.

    Attributes:
        macs: For each output pixel; 0 of a pooling.
        field: (kernel - 1) * dilation * pixels of the image between two of its inputs.
        reduction: Stride of its output; None behind global pooling, whose output is one pixel.
    """

    macs: int
    field: int
    reduction: int | None


class Entry(nn.Module):
    """Early stages of another network, in place of stem and pooling.

    The paper names adaptive inference on other architectures as future work: a known network gives
    the first features, the iterative stages go on from there.

    Args:
        network: Takes images (B, in_channels, H, W), returns a map (B, C, H/r, W/r), rounded up, or
            a sequence of maps, of which the last one counts.
        in_channels: Channels of the image.
        frozen: Whether it stays in evaluation mode and gets no gradient.

    Raises:
        TypeError, ValueError: naming the argument, the value and what is allowed.

    Attributes:
        out_channels: C.
        reduction: r.
        layers: Its convolutions and poolings, as called.
    """

    def __init__(self, network: nn.Module, in_channels: int = 3, frozen: bool = True) -> None:
        super().__init__()
        if not isinstance(network, nn.Module):
            raise TypeError(f'entry must be a torch.nn.Module, got {network!r}')
        self.network = network
        self.frozen = check_bool('entry.frozen', frozen)
        channels = check_int('in_channels', in_channels, 1)
        self.layers, shape = measured(network, channels)
        self.out_channels = shape[1]
        self.reduction = EVEN[0] // shape[2]
        if self.frozen:
            self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, C, H/r, W/r), rounded up."""
        if not self.frozen:
            return last_map(self.network(x))
        with torch.no_grad():
            return last_map(self.network(x))

    def train(self, mode: bool = True) -> Entry:
        return super().train(mode and not self.frozen)

    def macs(self, size: tuple[int, int]) -> int:
        """MACs of its convolutions on an image of ``size`` (H, W)."""
        total = 0
        for layer in self.layers:
            pixels = 1 if layer.reduction is None else area(reduced(size, layer.reduction))
            total += layer.macs * pixels
        return total

    @property
    def field(self) -> int:
        """Side of the receptive field in pixels; of parallel branches the sum, which is a bound.

        Global pooling, as in squeeze-and-excitation, is left out.
        """
        return 1 + sum(layer.field for layer in self.layers)


def last_map(output: Any) -> Tensor:
    """A network's output, or the last of several."""
    return output[-1] if isinstance(output, Sequence) else output


def reduced(size: tuple[int, int], reduction: int) -> tuple[int, int]:
    """(H, W) over ``reduction``, rounded up; works on symbolic sizes."""
    return -(-size[0] // reduction), -(-size[1] // reduction)


def area(size: tuple[int, int]) -> int:
    """Pixels of (H, W)."""
    return size[0] * size[1]


@torch.no_grad()
def measured(network: nn.Module, in_channels: int) -> tuple[list[EntryLayer], torch.Size]:
    """The layers and the output's shape on an image of EVEN, from two runs on empty images.

    Raises:
        ValueError: the output is no map of the image, or a layer does not round its size up.
    """
    was_training = [part for part in network.modules() if part.training]
    network.eval()
    layers, sizes, shape = _run(network, in_channels, EVEN)
    _, odd_sizes, _ = _run(network, in_channels, ODD)
    for part in was_training:
        part.training = True
    for size, odd in zip(sizes, odd_sizes, strict=True):
        reduction = _reduction(EVEN, size)
        if odd != ((1, 1) if reduction is None else reduced(ODD, reduction)):
            raise ValueError(
                'entry must round sizes up, as padded convolutions do; one of its layers makes '
                f'{size} of an image of {EVEN}, but {odd} of {ODD}'
            )
    if sizes[-1] == (1, 1):
        raise ValueError(f'entry must return a map of the image, got the shape {tuple(shape)}')
    return layers, shape


def _run(
    network: nn.Module, in_channels: int, size: tuple[int, int]
) -> tuple[list[EntryLayer], list[tuple[int, ...]], torch.Size]:
    """The layers, the sizes of their outputs and of the network's own, and its shape."""
    layers, sizes = [], []

    def note(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        kernel, dilation = (_first(getattr(layer, a, 1)) for a in ('kernel_size', 'dilation'))
        field = (kernel - 1) * dilation * round(size[0] / inputs[0].shape[2])
        macs = layer.weight.numel() if isinstance(layer, nn.Conv2d) else 0
        sizes.append(tuple(output.shape[2:]))
        layers.append(EntryLayer(macs, field, _reduction(size, sizes[-1])))

    handles = [
        part.register_forward_hook(note)
        for part in network.modules()
        if isinstance(part, (nn.Conv2d, *POOLS))
    ]
    try:
        output = last_map(network(torch.zeros(1, in_channels, *size)))
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(output, Tensor) or output.ndim != 4:
        raise ValueError(f'entry must return a map (B, C, H, W), got {type(output).__name__}')
    return layers, [*sizes, tuple(output.shape[2:])], output.shape


def _reduction(size: tuple[int, int], after: tuple[int, ...]) -> int | None:
    return None if after == (1, 1) else max(1, round(size[0] / after[0]))


def _first(value: int | tuple[int, int]) -> int:
    return value if isinstance(value, int) else value[0]
