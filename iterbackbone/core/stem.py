"""The first layers of a ResNet."""

from __future__ import annotations

from torch import nn

from .normalization import NormLayer
from .stage import ConvNorm
from .validation import check_choice, check_int

STEMS = {'imagenet': (7, 2), 'cifar': (3, 1)}  # kernel and stride


def make_stem(
    stem: str, in_channels: int, width: int, norm_layer: NormLayer, with_cp: bool
) -> ConvNorm:
    """The first convolution, norm and ReLU."""
    check_choice('stem', stem, STEMS)
    kernel, stride = STEMS[stem]
    in_channels = check_int('in_channels', in_channels, 1)
    return ConvNorm(in_channels, width, kernel, stride, norm_layer, with_cp)


def make_pool(stem: str) -> nn.Module:
    """What stands between stem and first stage."""
    return nn.MaxPool2d(3, stride=2, padding=1) if stem == 'imagenet' else nn.Identity()
