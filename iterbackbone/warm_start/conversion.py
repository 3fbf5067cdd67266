"""A ResNet's tensors into an initial IterativeResNet, with an account of every key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ..core.resnet import DEPTHS, IterativeResNet
from ..core.validation import check_choice
from .layouts import COUNTER, NORM, ResNetWeights
from .shared_convolution import CONVS, identity_kernels, shared_kernels

SHARED_USE = {'mean': 'averaged', 'least-squares': 'fitted'}


class KeyUse(NamedTuple):
    """What became of one key of the checkpoint.

    Attributes:
        source: The key as the checkpoint has it.
        use: ``'used'``, ``'averaged'``, ``'fitted'`` (least squares) or ``'dropped'``.
        target: The IterativeResNet's key it went into; None where dropped.
    """

    source: str
    use: str
    target: str | None


class Conversion(NamedTuple):
    """The result.

    Attributes:
        network: The initial network.
        uses: Of every key of the checkpoint, those of the ResNet first.
        initial: The network's keys that stay as initialised, such as the halting units'.
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


def convert(
    resnet: ResNetWeights,
    method: str = 'first',
    batches: Iterable[Tensor] | None = None,
    last_relu: bool = True,
) -> Conversion:
    """Build the IterativeResNet that starts from a ResNet.

    The stem is copied, a stage's downsample path becomes its transition, the BatchNorms of
    block i those of iteration i, and the convolutions of the identity blocks one shared kernel
    each. The number of blocks of a stage becomes its maximum number of iterations L.

    Args:
        resnet: The ResNet.
        method: How kernels are shared, see :func:`~.shared_convolution.shared_kernels`.
        batches: Images for least squares.
        last_relu: Of the network, see :class:`~iterbackbone.core.IterativeResNet`. A ResNet has no
            ReLU between the last norm and the sum.

    Raises:
        ValueError: see :func:`~.shared_convolution.shared_kernels`.
    """
    kernels = shared_kernels(resnet, method, batches)
    network = IterativeResNet(
        in_channels=resnet.in_channels,
        stem=resnet.stem,
        base_channels=resnet.width,
        expansion=resnet.expansion,
        max_iterations=resnet.blocks,
        num_stages=len(resnet.blocks),
        last_relu=last_relu,
    )
    copies = dict(_copied_keys(resnet))
    converted = {target: resnet.tensors[source] for source, target in copies.items()}
    for (stage, conv), kernel in kernels.items():
        converted[_kernel_key(stage, conv)] = kernel
    state = network.state_dict()
    for key in state:
        if key.endswith(COUNTER):  # 0 would mean statistics that no training has written
            converted[key] = converted.get(key, torch.ones(())).to(torch.int64).clamp(min=1)
    initial = [key for key in state if key not in converted]
    network.load_state_dict({**state, **converted})
    return Conversion(network, _account(resnet, method, copies), initial)


def _copied_keys(resnet: ResNetWeights) -> Iterator[tuple[str, str]]:
    """(ResNet's name, IterativeResNet's key) of everything but the blocks' convolutions."""
    yield 'conv1.weight', 'stem.conv.weight'
    norms = [('bn1', 'stem.norm')]
    for k, blocks in enumerate(resnet.blocks):
        path = f'layer{k + 1}.0.downsample'
        yield f'{path}.0.weight', f'stages.{k}.transition.conv.weight'
        norms.append((f'{path}.1', f'stages.{k}.transition.norm'))
        norms += [
            (f'layer{k + 1}.{i}.bn{j}', f'stages.{k}.blocks.0.norm{j}.{i}')
            for i in range(blocks)
            for j in CONVS
        ]
    for source, target in norms:
        for part in (*NORM, COUNTER):
            if f'{source}.{part}' in resnet.tensors:
                yield f'{source}.{part}', f'{target}.{part}'


def _kernel_key(stage: int, conv: int) -> str:
    return f'stages.{stage - 1}.blocks.0.conv{conv}.weight'


def _account(resnet: ResNetWeights, method: str, copies: dict[str, str]) -> list[KeyUse]:
    shared: dict[str, tuple[str, str | None]] = {}
    for stage in range(1, len(resnet.blocks) + 1):
        for conv in CONVS:
            names = list(identity_kernels(resnet, stage, conv))
            taken = names[:1] if method == 'first' else names
            use = SHARED_USE.get(method, 'used')
            shared.update({name: (use, _kernel_key(stage, conv)) for name in taken})
    uses = []
    for name in resnet.tensors:
        use, target = shared.get(name, ('dropped', None))
        if name in copies:
            use, target = 'used', copies[name]
        uses.append(KeyUse(resnet.prefix + name, use, target))
    return uses + [KeyUse(key, 'dropped', None) for key in resnet.others]
