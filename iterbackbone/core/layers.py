"""Convolutions and poolings, measured in pixels of the network's input."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

Size = tuple[int, int]  # (H, W)


class Layer(NamedTuple):
    """A convolution or pooling that rounds sizes up, as padded ones do."""

    macs: int  # for each output pixel; 0 of a pooling
    field: int  # (kernel - 1) * dilation * pixels of the image between two of its inputs
    reduction: int | None  # stride of its output; None behind global pooling

    @classmethod
    def of(cls, layer: nn.Module, before: int) -> Layer:
        """Of a square convolution, a pooling or an identity, ``before`` being its input's stride."""
        sizes = (getattr(layer, name, 1) for name in ('kernel_size', 'dilation', 'stride'))
        kernel, dilation, stride = (x if isinstance(x, int) else x[0] for x in sizes)
        macs = weights_of(layer) if isinstance(layer, nn.Conv2d) else 0
        return cls(macs, (kernel - 1) * dilation * before, stride * before)

    def total(self, size: Size) -> int:
        """MACs on an image of ``size``."""
        return self.macs * (1 if self.reduction is None else pixels(size, self.reduction))


def weights_of(conv: nn.Conv2d) -> int:
    """How many, by the shape: where they are sharded, as by FSDP, a process holds some of them."""
    height, width = conv.kernel_size
    return conv.out_channels * conv.in_channels // conv.groups * height * width


def reduced(size: Size, reduction: int) -> Size:
    """(H, W) over ``reduction``, rounded up; works on symbolic sizes."""
    return -(-size[0] // reduction), -(-size[1] // reduction)


def pixels(size: Size, reduction: int) -> int:
    """Of a map of this stride."""
    height, width = reduced(size, reduction)
    return height * width
