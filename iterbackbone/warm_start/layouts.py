"""Finds a plain bottleneck ResNet in a checkpoint, whoever saved it.

torchvision, timm and OpenMMLab give its tensors the same names, behind a prefix and in a wrapper of
their own: ``conv1.weight``, ``bn1.*``, ``layer{s}.{i}.conv{j}.weight``, ``layer{s}.{i}.bn{j}.*``,
``layer{s}.0.downsample.0.weight``, ``layer{s}.0.downsample.1.*``, with s, j from 1 and i from 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..core.stage import STEMS
from .safe_loading import COUNTER, flaws, listed, misfits, state_dict_of

ANCHOR = 'layer1.0.conv1.weight'  # every ResNet has it
FIRST, LAST = 'conv1.weight', 'layer1.0.conv3.weight'  # those with a deep stem or basic blocks lack one
NORM = ('weight', 'bias', 'running_mean', 'running_var')
OWN = re.compile(r'(layer\d+|conv1|bn1)\.')  # what is the ResNet's
KERNELS = {kernel: stem for stem, (kernel, _) in STEMS.items()}


class ResNetWeights(NamedTuple):
    """A bottleneck ResNet.

    Attributes:
        tensors: By torchvision's names; float32 (and int64 counters).
        prefix: What the checkpoint writes before these names.
        others: The checkpoint's remaining keys: classifier, neck, heads.
        width: n of the first stage and width of the stem.
        expansion: e; a stage's output has e * n channels.
        blocks: Of each stage.
    """

    tensors: dict[str, Tensor]
    prefix: str
    others: tuple[str, ...]
    stem: str
    in_channels: int
    width: int
    expansion: int
    blocks: tuple[int, ...]


def read_resnet(checkpoint: Mapping[str, Any]) -> ResNetWeights:
    """Find the ResNet in a state dict, or in a dict with one as ``state_dict`` or ``model``.

    Raises:
        ValueError: there is none, or one with parts that an IterativeResNet has no place for, such as
            basic blocks, a deep stem, a pooling in the downsample path or grouped convolutions.
    """
    state = state_dict_of(checkpoint, 'of a ResNet', 'state_dict', 'model')
    prefix = _prefix(state)
    values = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    own = [name for name in values if OWN.match(name)]
    dtypes = {name: torch.int64 if name.endswith(COUNTER) else torch.float32 for name in own}
    _refuse({'no weights': flaws(values, dtypes)})
    tensors = {name: value for name, value in values.items() if isinstance(value, Tensor)}
    _refuse({'missing': [name for name in (FIRST, LAST) if name not in tensors]})
    kernel, first = tensors[FIRST].shape, tensors[ANCHOR]
    if len(kernel) != 4 or kernel[-1] not in KERNELS:
        _refuse({'of another shape': [f'{FIRST} {tuple(kernel)} instead of 7x7 or 3x3']})
    stages = _count(tensors, r'layer(\d+)\.0\.conv1\.weight', start=1)
    blocks = tuple(_count(tensors, rf'layer{s}\.(\d+)\.conv1\.weight') for s in range(1, stages + 1))
    found = ResNetWeights(
        tensors=tensors,
        prefix=prefix,
        others=(),
        stem=KERNELS[kernel[-1]],
        in_channels=kernel[1],
        width=first.shape[0],
        expansion=tensors[LAST].shape[0] // first.shape[0],
        blocks=blocks,
    )
    expected = dict(tensor_shapes(found))
    _refuse(misfits(tensors, expected, [name for name in own if name not in expected]))
    wanted = {name: x for name, x in tensors.items() if name in expected}
    keys = {prefix + name for name in wanted}
    return found._replace(
        tensors={name: x.float() if x.is_floating_point() else x for name, x in wanted.items()},
        others=tuple(key for key, x in state.items() if isinstance(x, Tensor) and key not in keys),
    )


def _prefix(state: Mapping[str, Any]) -> str:
    prefixes = [key[: -len(ANCHOR)] for key in state if key == ANCHOR or key.endswith('.' + ANCHOR)]
    if len(prefixes) != 1:
        shown = ', '.join(list(state)[:4]) or 'none'
        raise ValueError(
            f'checkpoint must hold one ResNet: {ANCHOR!r} stands {len(prefixes)} times among its keys, '
            f'with the prefixes {prefixes}; its first keys: {shown}'
        )
    return prefixes[0]


def _refuse(problems: Mapping[str, list[str]]) -> None:
    if text := listed(problems):
        raise ValueError(
            f'checkpoint must hold a plain bottleneck ResNet, not ResNet-18, V1c, V1d or others; {text}'
        )


def _count(tensors: Mapping[str, Tensor], pattern: str, start: int = 0) -> int:
    """How many numbers from ``start`` on, without a gap, stand where the pattern's group is."""
    matches = (re.fullmatch(pattern, name) for name in tensors)
    numbers = {int(match[1]) for match in matches if match}
    return next(k for k in count(start) if k not in numbers) - start


def tensor_shapes(resnet: ResNetWeights) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every tensor of a ResNet with these blocks."""
    kernel, channels = STEMS[resnet.stem][0], resnet.width
    yield 'conv1.weight', (channels, resnet.in_channels, kernel, kernel)
    yield from _norm_shapes('bn1', channels)
    for s, blocks in enumerate(resnet.blocks, start=1):
        n = resnet.width * 2 ** (s - 1)
        out = n * resnet.expansion
        yield f'layer{s}.0.downsample.0.weight', (out, channels, 1, 1)
        yield from _norm_shapes(f'layer{s}.0.downsample.1', out)
        for i in range(blocks):
            name = f'layer{s}.{i}'
            yield f'{name}.conv1.weight', (n, channels, 1, 1)
            yield f'{name}.conv2.weight', (n, n, 3, 3)
            yield f'{name}.conv3.weight', (out, n, 1, 1)
            for j, width in enumerate((n, n, out), start=1):
                yield from _norm_shapes(f'{name}.bn{j}', width)
            channels = out


def _norm_shapes(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from ((f'{name}.{part}', (channels,)) for part in NORM)
    yield f'{name}.{COUNTER}', ()
