"""One kernel for all iterations out of the kernels of a stage's blocks.

Only identity blocks count, those behind a stage's first: like an iteration, they read and write
the same e*n channels. The first block reads another number of channels and strides.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.validation import check_choice
from .layouts import ResNetWeights
from .plain_resnet import stage_outputs

METHODS = ('first', 'mean', 'least-squares')
CONVS = (1, 2, 3)
RIDGE = 1e-3  # of the mean square of the inputs


def identity_kernels(resnet: ResNetWeights, stage: int, conv: int) -> dict[str, Tensor]:
    """Kernels of a stage's identity blocks, in order.

    Args:
        resnet: Its weights.
        stage: From 1.
        conv: 1, 2 or 3.

    Raises:
        ValueError: the stage has no identity block.
    """
    blocks = resnet.blocks[stage - 1]
    if blocks < 2:
        raise ValueError(
            f'layer{stage} must have at least 2 blocks, got {blocks}: the shared convolutions come '
            'from the blocks behind the first, whose input has the channels of the state'
        )
    names = [f'layer{stage}.{i}.conv{conv}.weight' for i in range(1, blocks)]
    return {name: resnet.tensors[name] for name in names}


def first_kernel(kernels: dict[str, Tensor]) -> Tensor:
    """That of the first identity block: its three convolutions belong together."""
    return next(iter(kernels.values()))


def mean_kernel(kernels: dict[str, Tensor]) -> Tensor:
    """The mean over the identity blocks."""
    return torch.stack(list(kernels.values())).mean(dim=0)


class NormalEquations:
    """Ridge least squares for one kernel that is to do the work of several.

    Over the inputs x of every identity block i, unfolded to patches, and its kernel W_i it
    minimises ``sum_i |W x - W_i x|^2 + ridge * |W - mean(W_i)|^2``. Pulled to the mean instead of
    to zero, what few images do not determine stays a plain average, and blocks with one
    and the same kernel give that kernel. Only X'X and X'(Y - mean(W_i) X) are kept.

    Args:
        kernels: (out, in, K, K) of the identity blocks by name.
    """

    def __init__(self, kernels: dict[str, Tensor]) -> None:
        self.kernels = kernels
        self.mean = mean_kernel(kernels)
        out, inputs = self.mean.flatten(1).shape
        self.gram = torch.zeros(inputs, inputs, dtype=torch.float64)
        self.residual = torch.zeros(inputs, out, dtype=torch.float64)

    def add(self, name: str, x: Tensor) -> None:
        """Take in the input (B, in, H, W) of the block's convolution ``name``."""
        size = self.mean.shape[-1]
        patches = F.unfold(x, size, padding=size // 2).transpose(1, 2).flatten(0, 1)
        missed = patches @ (self.kernels[name] - self.mean).flatten(1).T
        self.gram += patches.T @ patches
        self.residual += patches.T @ missed

    def solve(self) -> Tensor:
        """The kernel, (out, in, K, K) float32."""
        ridge = RIDGE * self.gram.diagonal().mean()
        if ridge == 0.0:  # no input but zeros
            return self.mean
        regular = self.gram + ridge * torch.eye(len(self.gram), dtype=torch.float64)
        change = torch.linalg.solve(regular, self.residual)
        return self.mean + change.T.reshape(self.mean.shape).to(self.mean.dtype)


@torch.no_grad()
def least_squares_kernels(
    resnet: ResNetWeights, batches: Iterable[Tensor]
) -> dict[tuple[int, int], Tensor]:
    """Fit every stage's three kernels to what the ResNet computes on a few images.

    Args:
        resnet: Its weights.
        batches: Images, (B, C, H, W), normalised as in its training.

    Returns:
        By (stage, convolution), both from 1.
    """
    equations = {
        (stage, conv): NormalEquations(identity_kernels(resnet, stage, conv))
        for stage in range(1, len(resnet.blocks) + 1)
        for conv in CONVS
    }
    by_name = {name: each for each in equations.values() for name in each.kernels}

    def observe(name: str, x: Tensor) -> None:
        if f'{name}.weight' in by_name:
            by_name[f'{name}.weight'].add(f'{name}.weight', x)

    for images in batches:
        stage_outputs(resnet, images, observe)
    return {key: each.solve() for key, each in equations.items()}


def shared_kernels(
    resnet: ResNetWeights, method: str, batches: Iterable[Tensor] | None = None
) -> dict[tuple[int, int], Tensor]:
    """Every stage's three kernels by one of :data:`METHODS`.

    Args:
        resnet: Its weights.
        method: ``'first'``, ``'mean'`` or ``'least-squares'``.
        batches: Images for least squares, see :func:`least_squares_kernels`.

    Returns:
        By (stage, convolution), both from 1.

    Raises:
        ValueError: unknown method, least squares without images, a stage of one block.
    """
    check_choice('method', method, METHODS)
    if method == 'least-squares':
        if batches is None:
            raise ValueError("method 'least-squares' needs images; without them: 'first', 'mean'")
        return least_squares_kernels(resnet, batches)
    choose = first_kernel if method == 'first' else mean_kernel
    return {
        (stage, conv): choose(identity_kernels(resnet, stage, conv))
        for stage in range(1, len(resnet.blocks) + 1)
        for conv in CONVS
    }
