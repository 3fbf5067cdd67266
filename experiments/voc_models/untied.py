"""The twin whose iterations have weights of their own, and which begins as the shared network."""

from __future__ import annotations

from copy import deepcopy

from mmengine.model import BaseModule
from torch import Tensor, nn

from iterbackbone.core.block import IterativeBlock
from iterbackbone.registry import MODELS


class UntiedIteration(nn.Module):
    """Iteration ``i`` (from 0) of a block, with copies of its convolutions."""

    def __init__(self, block: IterativeBlock, i: int) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        for conv, norms in block.layers():
            self.layers.extend([deepcopy(conv), norms[i], nn.ReLU(inplace=True)])
        if not block.last_relu:
            del self.layers[-1]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> same."""
        return x + self.layers(x)


@MODELS.register_module()
class UntiedResNet(BaseModule):
    """A plain residual network: the iterations of an IterativeResNet, each with weights of its own.

    It starts as the same function as the shared network at all iterations, after anytime training.

    Args:
        shared: Config of the IterativeResNet, whose ``init_cfg`` says where both start.
    """

    def __init__(self, shared: dict) -> None:
        super().__init__()
        network = MODELS.build(shared)
        network.init_weights()
        self.out_indices = network.out_indices
        self.stem, self.pool = network.stem, network.pool
        self.stages = nn.ModuleList(
            nn.Sequential(
                stage.transition,
                *(UntiedIteration(b, i) for b in stage.blocks for i in range(b.max_iterations)),
            )
            for stage in network.stages
        )

    def init_weights(self) -> None:
        """Nothing: the weights are there from the start."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Images (B, 3, H, W) -> the maps of ``out_indices``."""
        x, maps = self.pool(self.stem(x)), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps[k] for k in self.out_indices)
