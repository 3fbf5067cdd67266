"""Runs the ResNet of a checkpoint: a plain loop over its tensors, in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from .layouts import NORM, ResNetWeights

EPS = 1e-5  # of torch's BatchNorm2d, the same in all three libraries

Observe = Callable[[str, Tensor], None]


def _ignore(name: str, x: Tensor) -> None:
    pass


def stage_outputs(resnet: ResNetWeights, images: Tensor, observe: Observe = _ignore) -> list[Tensor]:
    """The stages' outputs.

    The stride is in the 3x3 convolution, as in torchvision and OpenMMLab's ``style='pytorch'``;
    a checkpoint does not tell where it was.

    Args:
        resnet: Its weights.
        images: (B, C, H, W), normalised as in its training.
        observe: Called with the name of every block's convolution, such as
            ``layer1.0.conv2``, and its input.

    Returns:
        One (B, e*n, H/stride, W/stride) tensor a stage.
    """
    kernel = resnet.tensors['conv1.weight'].shape[-1]
    stride = 2 if resnet.stem == 'imagenet' else 1
    x = F.conv2d(images, resnet.tensors['conv1.weight'], stride=stride, padding=kernel // 2)
    x = F.relu(_norm(resnet, 'bn1', x))
    if resnet.stem == 'imagenet':
        x = F.max_pool2d(x, 3, stride=2, padding=1)
    outputs = []
    for s, blocks in enumerate(resnet.blocks, start=1):
        for i in range(blocks):
            x = _bottleneck(resnet, f'layer{s}.{i}', x, 2 if s > 1 and i == 0 else 1, observe)
        outputs.append(x)
    return outputs


def _bottleneck(resnet: ResNetWeights, name: str, x: Tensor, stride: int, observe: Observe) -> Tensor:
    y = x
    for j, (step, padding) in enumerate(((1, 0), (stride, 1), (1, 0)), start=1):
        observe(f'{name}.conv{j}', y)
        y = F.conv2d(y, resnet.tensors[f'{name}.conv{j}.weight'], stride=step, padding=padding)
        y = _norm(resnet, f'{name}.bn{j}', y)
        y = F.relu(y) if j < 3 else y
    path = resnet.tensors.get(f'{name}.downsample.0.weight')
    if path is not None:
        x = _norm(resnet, f'{name}.downsample.1', F.conv2d(x, path, stride=stride))
    return F.relu(x + y)


def _norm(resnet: ResNetWeights, name: str, x: Tensor) -> Tensor:
    weight, bias, mean, variance = (resnet.tensors[f'{name}.{part}'] for part in NORM)
    return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=EPS)
