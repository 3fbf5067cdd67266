"""The plain ResNet of an iterative network's shape: its name, parameters and MACs.

Counted by arithmetic, no weight is allocated. Stage k has as many bottlenecks, each with
weights of its own, as a block of the iterative stage k has iterations at most. They are
torchvision's: expansion 4, full 3x3 convolutions that carry the stride, a strided 1x1
convolution beside the first of a stage, BatchNorm; no classifier. Stem, ``base_channels``
and strides are the iterative network's; expansion, depthwise convolutions and blocks per
stage are not, as the paper compares all variants with the same ResNet. Dilations change
neither number. He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

from .adaptive import AdaptiveModule
from .entry import Entry
from .macs import Size, layer_macs
from .resnet import DEPTHS

EXPANSION = 4
PER_NORM_CHANNEL = 2  # parameters: scale and shift


@dataclass(frozen=True)
class ResNetCounterpart:
    """The plain ResNet of an iterative network's shape.

    Attributes:
        name: ``'ResNet-152'`` or, for other depths or widths, such as
            ``'ResNet (3, 4, 6, 3), width 16'``.
        parameters: Without classifier.
    """

    name: str
    parameters: int

    @classmethod
    def of(cls, *modules: AdaptiveModule) -> ResNetCounterpart:
        """Of a backbone, of a RoI layer's stage alone, or of both as one network.

        Args:
            modules: In the network's order, at least one.
        """
        stages = [stage for module in modules for stage in _plain_stages(module)]
        stems = [layer for module in modules for layer in module.entry_layers()]
        parameters = sum(_stem_parameters(layer) for layer in stems)
        return cls(_name(modules[0], stages), parameters + sum(s.parameters for s in stages))


def resnet_macs(module: AdaptiveModule, input_size: Size) -> int:
    """MACs of the counterpart on one row (image or RoI).

    Args:
        module: Backbone or RoI layer.
        input_size: (H, W) of its input in pixels.
    """
    size, total = input_size, 0
    for layer in module.entry_layers():
        macs, size = layer_macs(layer, size)
        total += macs
    for stage in _plain_stages(module):
        macs, size = stage.macs(size)
        total += macs
    return total


class _Stage(NamedTuple):
    """Bottlenecks of one width."""

    in_channels: int
    width: int
    stride: int
    blocks: int

    @property
    def parameters(self) -> int:
        n, out = self.width, self.width * EXPANSION
        first = self.in_channels * n + 9 * n * n + n * out + self.in_channels * out
        others = out * n + 9 * n * n + n * out
        channels = self.blocks * (n + n + out) + out
        return first + (self.blocks - 1) * others + PER_NORM_CHANNEL * channels

    def macs(self, size: Size) -> tuple[int, Size]:
        """On an input of ``size``; also the size of the output."""
        n, out = self.width, self.width * EXPANSION
        reduced = ((size[0] - 1) // self.stride + 1, (size[1] - 1) // self.stride + 1)
        before, after = size[0] * size[1], reduced[0] * reduced[1]
        first = before * self.in_channels * n + after * (9 * n * n + n * out + self.in_channels * out)
        others = after * (out * n + 9 * n * n + n * out)
        return first + (self.blocks - 1) * others, reduced


def _plain_stages(module: AdaptiveModule) -> list[_Stage]:
    """What stands where the module has its iterative stages."""
    stages = []
    for k, stage in enumerate(module.iterative_stages()):
        block = stage.iterative_blocks()[0]
        width = block.conv1.out_channels
        is_first = module.first_stage + k == 0
        first = stage.transition.conv.in_channels  # behind a stem its width, else an entry's output
        in_channels = first if is_first else width // 2 * EXPANSION
        stride = stage.transition.conv.stride[0]
        stages.append(_Stage(in_channels, width, stride, block.max_iterations))
    return stages


def _stem_parameters(layer: nn.Module) -> int:
    if isinstance(layer, Entry):
        return sum(parameter.numel() for parameter in layer.parameters())
    if not isinstance(layer, nn.Conv2d):
        return 0
    return layer.weight.numel() + PER_NORM_CHANNEL * layer.out_channels


def _name(first: AdaptiveModule, stages: Sequence[_Stage]) -> str:
    missing = first.first_stage
    blocks, width = tuple(stage.blocks for stage in stages), stages[0].width // 2**missing
    if missing:
        return f'stage {missing + 1} of a ResNet, {blocks[0]} blocks, width {width}'
    for depth, lengths in DEPTHS.items():
        if (blocks, width) == (lengths, 64):
            return f'ResNet-{depth}'
    return f'ResNet ({", ".join(map(str, blocks))}), width {width}'
