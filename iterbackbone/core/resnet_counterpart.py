"""The plain ResNet of an iterative network's shape: its name, parameters and MACs, by arithmetic.

Stage k has as many bottlenecks, each with weights of its own, as a block of the iterative stage k has
iterations at most. They are torchvision's (He et al., CVPR 2016): expansion 4, full 3x3 convolutions
that carry the stride, a strided 1x1 convolution beside the first of a stage, BatchNorm. Stem,
``base_channels`` and strides are the iterative network's; expansion, depthwise convolutions and blocks
per stage are not, as the paper compares all variants with the same ResNet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .adaptive import AdaptiveModule
from .layers import Layer, Size
from .resnet import DEPTHS, IterativeResNet

EXPANSION = 4
PER_NORM_CHANNEL = 2  # parameters: scale and shift


@dataclass(frozen=True)
class ResNetCounterpart:
    """Its name and its parameters without classifier."""

    name: str  # 'ResNet-152', for other depths or widths such as 'ResNet (3, 4, 6, 3), width 16'
    parameters: int

    @classmethod
    def of(cls, *modules: AdaptiveModule) -> ResNetCounterpart:
        """Of a backbone, of a RoI layer's stage alone, or of both, in this order, as one network."""
        stages = [stage for module in modules for stage in _plain_stages(module)]
        stems = [module.stem for module in modules if isinstance(module, IterativeResNet)]
        parameters = sum(p.numel() for stem in stems for p in stem.parameters())
        return cls(_name(modules[0], stages), parameters + sum(s.parameters for s in stages))


def resnet_macs(module: AdaptiveModule, input_size: Size) -> int:
    """MACs of the counterpart on one row (image or RoI) of ``input_size`` (H, W) in pixels."""
    plain = (layer for stage in _plain_stages(module) for layer in stage.layers)
    return sum(layer.total(input_size) for layer in (*module.entry_layers(), *plain))


class _Stage(NamedTuple):
    """Bottlenecks of one width."""

    blocks: int
    width: int
    layers: tuple[Layer, Layer]  # before the stride, and all that is behind it
    parameters: int


def _plain_stages(module: AdaptiveModule) -> list[_Stage]:
    """What stands where the module has its iterative stages."""
    stages = []
    pairs = zip(module.iterative_stages(), module.reductions(), strict=True)
    for k, (stage, reduction) in enumerate(pairs, start=module.first_stage):
        block, conv = stage.iterative_blocks()[0], stage.transition.conv
        blocks, n = block.max_iterations, block.conv1.out_channels
        out = n * EXPANSION
        # Behind a stem its width, behind an entry that one's output.
        in_channels = n // 2 * EXPANSION if k else conv.in_channels
        others = in_channels * out + blocks * (9 * n * n + n * out) + (blocks - 1) * out * n
        before = Layer(in_channels * n, 0, reduction // conv.stride[0])
        norms = n * (blocks * (2 + EXPANSION) + EXPANSION)  # channels of all
        parameters = before.macs + others + PER_NORM_CHANNEL * norms
        stages.append(_Stage(blocks, n, (before, Layer(others, 0, reduction)), parameters))
    return stages


def _name(first: AdaptiveModule, stages: Sequence[_Stage]) -> str:
    missing = first.first_stage
    blocks, width = tuple(stage.blocks for stage in stages), stages[0].width // 2**missing
    if missing:
        return f'layer{missing + 1} of a ResNet, {blocks[0]} blocks, width {width}'
    for depth, lengths in DEPTHS.items():
        if (blocks, width) == (lengths, 64):
            return f'ResNet-{depth}'
    return f'ResNet ({", ".join(map(str, blocks))}), width {width}'
