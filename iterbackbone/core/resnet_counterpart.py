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

from .adaptive import AdaptiveModule
from .layers import Size, pixels
from .resnet import DEPTHS, IterativeResNet

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
        stems = [module.stem for module in modules if isinstance(module, IterativeResNet)]
        parameters = sum(p.numel() for stem in stems for p in stem.parameters())
        return cls(_name(modules[0], stages), parameters + sum(s.parameters for s in stages))


def resnet_macs(module: AdaptiveModule, input_size: Size) -> int:
    """MACs of the counterpart on one row (image or RoI) of ``input_size`` (H, W) in pixels."""
    total = sum(layer.total(input_size) for layer in module.entry_layers())
    for stage, reduction in zip(_plain_stages(module), module.reductions(), strict=True):
        total += stage.weights_before * pixels(input_size, reduction // stage.stride)
        total += stage.weights_behind * pixels(input_size, reduction)
    return total


class _Stage(NamedTuple):
    """Bottlenecks of one width."""

    in_channels: int
    width: int
    stride: int
    blocks: int

    @property
    def weights_before(self) -> int:
        """Of the 1x1 convolution before the stride."""
        return self.in_channels * self.width

    @property
    def weights_behind(self) -> int:
        """Of all other convolutions."""
        n, out = self.width, self.width * EXPANSION
        return (
            self.in_channels * out + self.blocks * (9 * n * n + n * out) + (self.blocks - 1) * out * n
        )

    @property
    def parameters(self) -> int:
        channels = self.width * (self.blocks * (2 + EXPANSION) + EXPANSION)  # of the norms
        return self.weights_before + self.weights_behind + PER_NORM_CHANNEL * channels


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


def _name(first: AdaptiveModule, stages: Sequence[_Stage]) -> str:
    missing = first.first_stage
    blocks, width = tuple(stage.blocks for stage in stages), stages[0].width // 2**missing
    if missing:
        return f'stage {missing + 1} of a ResNet, {blocks[0]} blocks, width {width}'
    for depth, lengths in DEPTHS.items():
        if (blocks, width) == (lengths, 64):
            return f'ResNet-{depth}'
    return f'ResNet ({", ".join(map(str, blocks))}), width {width}'
