"""A ResNet's tensors into an initial IterativeResNet, with an account of every key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn

from ..core.resnet import DEPTHS, IterativeResNet
from ..core.validation import check_choice
from .layouts import ResNetWeights, tensor_shapes
from .safe_loading import COUNTER

# Of the kernels of a stage's identity blocks, what all iterations share, and what became of each.
METHODS = {'first': 'used', 'mean': 'averaged'}
STEM = {'conv1': 'stem.conv', 'bn1': 'stem.norm'}
SHARED = '.blocks.0.conv'
STATISTICS = ('.running_mean', '.running_var', f'.{COUNTER}')


class KeyUse(NamedTuple):
    """What became of one key of the checkpoint: ``'used'``, ``'averaged'`` or ``'dropped'``."""

    source: str
    use: str
    target: str | None


class Conversion(NamedTuple):
    """The initial network, and what became of every key of the checkpoint.

    ``initial`` are the network's keys that stay as initialised, such as the halting units'.
    """

    network: IterativeResNet
    uses: list[KeyUse]
    initial: list[str]


def check_depth(resnet: ResNetWeights, depth: int) -> None:
    """Raise ValueError unless the stages have the blocks of a ResNet of this depth."""
    check_choice('depth', depth, DEPTHS)
    wanted = DEPTHS[depth][: len(resnet.blocks)]
    if resnet.blocks != wanted:
        raise ValueError(
            f'depth {depth} has maximum iterations {wanted}, but the checkpoint has a ResNet '
            f'of {resnet.blocks} blocks; they must be equal'
        )


def convert(resnet: ResNetWeights, method: str = 'first', last_relu: bool = False) -> Conversion:
    """Build the IterativeResNet that starts from a ResNet.

    The stem is copied, a stage's downsample path becomes its transition, the BatchNorms of
    block i those of iteration i, and the convolutions of the identity blocks one shared kernel
    each. The number of blocks of a stage, at least 2, becomes its maximum number of iterations L.

    Args:
        resnet: The ResNet.
        method: The kernels shared: ``'first'``, those of a stage's first identity block, or ``'mean'``,
            the mean over its identity blocks.
        last_relu: Of the network; a ResNet has no ReLU between the last norm and the sum.
    """
    check_choice('method', method, METHODS)
    if min(resnet.blocks) < 2:
        raise ValueError(
            f'every stage must have at least 2 blocks, got {resnet.blocks}: the shared convolutions '
            'come from the blocks behind the first, whose input has the channels of the state'
        )
    network = IterativeResNet(
        in_channels=resnet.in_channels,
        stem=resnet.stem,
        base_channels=resnet.width,
        expansion=resnet.expansion,
        max_iterations=resnet.blocks,
        num_stages=len(resnet.blocks),
        last_relu=last_relu,
    )
    sources: dict[str, list[str]] = defaultdict(list)
    for name, _ in tensor_shapes(resnet):
        if name in resnet.tensors and (target := _target(name)):
            sources[target].append(name)
    converted: dict[str, Tensor] = {}
    uses: dict[str, tuple[str, str | None]] = {}
    for target, names in sources.items():
        shared = SHARED in target
        taken = names[:1] if method == 'first' else names
        tensors = [resnet.tensors[name] for name in taken]
        converted[target] = torch.stack(tensors).mean(dim=0) if shared else tensors[0]
        uses |= dict.fromkeys(taken, (METHODS[method] if shared else 'used', target))
    state = network.state_dict()
    for key in state:
        if key.endswith(COUNTER):  # 0 would mean statistics that no training has written
            converted[key] = converted.get(key, torch.ones(())).to(torch.int64).clamp(min=1)
    initial = [key for key in state if key not in converted]
    network.load_state_dict({**state, **converted})
    account = [
        KeyUse(resnet.prefix + name, *uses.get(name, ('dropped', None))) for name in resnet.tensors
    ]
    account += [KeyUse(key, 'dropped', None) for key in resnet.others]
    return Conversion(network, account, initial)


def recalibrate(conversion: Conversion, batches: Iterable[Tensor]) -> Conversion:
    """Replace all running means and variances, in place, by those of a few images at full depth.

    A ResNet's statistics describe what its own kernels give; the shared kernel gives something else.
    As after weight averaging (Izmailov et al. 2018, https://arxiv.org/abs/1803.05407), it is a plain
    average over the batches: images (B, C, H, W), normalised as in training, a few hundred in all.
    """
    if not (batches := list(batches)):
        raise ValueError('batches must hold at least one, got none')
    network = conversion.network
    network.hold_halting(True)
    update_bn(batches, network)
    network.hold_halting(False)
    network.drop_trace()
    uses = [
        KeyUse(use.source, 'dropped', None) if (use.target or '').endswith(STATISTICS) else use
        for use in conversion.uses
    ]
    return conversion._replace(uses=uses)


def _target(name: str) -> str | None:
    """The IterativeResNet's key for a ResNet's name; None for the kernels of a stage's first block.

    The blocks behind it, like an iteration, read and write e*n channels.
    """
    part, *path = name.split('.')
    if part in STEM:
        return '.'.join((STEM[part], *path))
    stage = f'stages.{int(part.removeprefix("layer")) - 1}'
    i, part, *path = path
    if part == 'downsample':
        return f'{stage}.transition.{("conv", "norm")[int(path[0])]}.{path[1]}'
    if part.startswith('bn'):
        return f'{stage}.blocks.0.norm{part.removeprefix("bn")}.{i}.{path[0]}'
    return None if i == '0' else f'{stage}.blocks.0.{part}.{path[0]}'
