"""The twin of iterative stages behind an entry: mmdet's bottlenecks, each with weights of its own."""

from __future__ import annotations

from mmdet.models.backbones.resnet import Bottleneck
from mmdet.models.layers import ResLayer
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from iterbackbone.mm.modules import entry_from_cfg


@MODELS.register_module()
class UnsharedStages(BaseModule):
    """Stages of a plain ResNet behind an entry.

    Args:
        entry: As that of IterativeResNet.
        base_channels: Width of the first stage; doubles each stage.
        blocks: Of each stage.
        strides: Of each stage.
        init_cfg: As everywhere in OpenMMLab.
    """

    def __init__(
        self,
        entry: dict,
        base_channels: int,
        blocks: tuple[int, ...],
        strides: tuple[int, ...],
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.stem = entry_from_cfg(entry, in_channels=3)
        self.stages = nn.ModuleList()
        channels = self.stem.out_channels
        for k, (count, stride) in enumerate(zip(blocks, strides, strict=True)):
            width = base_channels * 2**k
            self.stages.append(
                ResLayer(Bottleneck, channels, width, count, stride=stride, style='pytorch')
            )
            channels = width * Bottleneck.expansion

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Images (B, 3, H, W) -> the output of each stage."""
        x, outputs = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return tuple(outputs)
