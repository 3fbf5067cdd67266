"""The outputs of a base's backbone, and the IterativeResNet that stands in for it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...core.adaptive import AdaptiveModule
from ...core.resnet import DEPTHS

RESNET = ('stage_blocks', 'strides', 'dilations', 'out_indices', 'num_stages')
USUAL = {'strides': (1, 2, 2, 2), 'dilations': (1, 1, 1, 1)}
STRIDES = {4: 0, 8: 1, 16: 2, 32: 3}
WIDTH = 64  # of the stem, as in every ResNet
SIDE = 224  # pixels of the image that a backbone runs on


class Pyramid(NamedTuple):
    """A backbone's outputs, as an IterativeResNet can give them."""

    name: str  # of the backbone's class
    channels: tuple[int, ...]  # of its outputs, before
    new_channels: tuple[int, ...]  # of the IterativeResNet's
    options: dict[str, Any]  # arguments of the IterativeResNet

    @classmethod
    def of(cls, backbone: nn.Module) -> Pyramid:
        """Run a backbone once, look at its outputs, and read a ResNet's own settings.

        ValueError: the outputs are no maps at strides 4 to 32, each half the size of the last.
        """
        name = type(backbone).__name__
        if isinstance(backbone, AdaptiveModule):
            raise ValueError(f'its backbone is {name} already')
        outputs = _outputs(backbone)
        strides = [SIDE // x.shape[-1] for x in outputs]
        if all(hasattr(backbone, each) for each in RESNET):
            options = _resnet_options(backbone, strides[0])
        else:
            options = _pyramid_options(name, strides)
        channels, out_indices = tuple(x.shape[1] for x in outputs), options['out_indices']
        firsts = {c / 2**k for c, k in zip(channels, out_indices, strict=True)}
        # The expansion at which the channels stay, else the paper's.
        expansion = next((e for e in (1, 2, 3) if firsts == {WIDTH * e}), 4)
        options = {'base_channels': WIDTH, 'expansion': expansion, **options}
        new = tuple(WIDTH * expansion * 2**k for k in out_indices)
        return cls(name, channels, new, options)


def _outputs(backbone: nn.Module) -> list[Tensor]:
    """(1, C, H, W) each, of one image of noise."""
    name = type(backbone).__name__
    backbone.eval()
    try:
        with torch.inference_mode():
            outputs = backbone(torch.rand(1, 3, SIDE, SIDE))
    except Exception as error:  # a backbone of another kind may raise anything
        raise _refused(name, f'it does not run on an image ({error!r})') from None
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    if not all(isinstance(x, Tensor) and x.ndim == 4 for x in outputs):
        raise _refused(name, 'its outputs are not all (B, C, H, W)')
    return outputs


def _resnet_options(backbone: Any, stride: int) -> dict[str, Any]:
    """Stem, stages, strides and outputs of any kind of ResNet; its first output has ``stride``."""
    outputs = tuple(backbone.out_indices)
    stages = min(backbone.num_stages, outputs[-1] + 1)  # what no output needs would not be trained
    blocks = tuple(backbone.stage_blocks)[:stages]
    depth = next((d for d, each in DEPTHS.items() if each[:stages] == blocks), None)
    options: dict[str, Any] = {'depth': depth} if depth else {'max_iterations': blocks}
    options['out_indices'] = outputs
    if 'CIFAR' in type(backbone).__name__:
        options['stem'] = 'cifar'
    if stages < 4:
        options['num_stages'] = stages
    strides = tuple(backbone.strides)[1:stages]
    behind = math.prod(strides[: outputs[0]]) * (1 if 'stem' in options else 4)
    strides = (stride // behind, *strides)  # RegNet's stem has no pooling, its first stage strides
    for name, values in (('strides', strides), ('dilations', tuple(backbone.dilations)[:stages])):
        if values != USUAL[name][:stages]:
            options[name] = values
    return options


def _pyramid_options(name: str, strides: list[int]) -> dict[str, Any]:
    """Of a backbone that is no ResNet, by the strides of its outputs."""
    indices = tuple(STRIDES.get(stride, -1) for stride in strides)
    if -1 in indices or indices != tuple(sorted(set(indices))) or indices == (2,):
        raise _refused(name, f'its outputs have strides {", ".join(map(str, strides))}')
    stages = {'num_stages': indices[-1] + 1} if indices[-1] < 3 else {}
    return {'depth': 50, 'out_indices': indices, **stages}


def _refused(name: str, reason: str) -> ValueError:
    return ValueError(
        f'IterativeResNet cannot replace {name}, which is no ResNet-like pyramid: {reason}'
    )
