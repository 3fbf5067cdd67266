"""Questions about the block itself, on plain ACT."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch.nn.functional as F
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from modules import blocks
from torch import Tensor

from iterbackbone.core.block import IterativeBlock
from iterbackbone.core.normalization import normalise


@HOOKS.register_module()
class NoLastReluHook(Hook):
    """No ReLU behind a block's third convolution, as in a ResNet's residual branch."""

    def before_run(self, runner: Any) -> None:
        for block in blocks(runner.model):
            block.residual = partial(_residual_without_last_relu, block)


def _residual_without_last_relu(block: IterativeBlock, state: Tensor, i: int) -> Tensor:
    x = F.relu(normalise(block.norm1[i], block.conv1(state)), inplace=True)
    x = F.relu(normalise(block.norm2[i], block.conv2(x)), inplace=True)
    return normalise(block.norm3[i], block.conv3(x))


@HOOKS.register_module()
class SharedAffineHook(Hook):
    """One gamma and beta for all iterations of a block; the statistics stay per iteration."""

    def before_run(self, runner: Any) -> None:
        for block in blocks(runner.model):
            for norms in (block.norm1, block.norm2, block.norm3):
                for norm in norms[1:]:
                    norm.weight, norm.bias = norms[0].weight, norms[0].bias
