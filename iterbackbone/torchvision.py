"""Backbones as torchvision's detectors and segmentors take them; needs torchvision."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock, LastLevelMaxPool

from .core.resnet import IterativeResNet
from .core.validation import check_int


class TorchvisionBackbone(nn.Module):
    """Images (B, C, H, W) to maps of ``out_channels`` each, the finest first, or the last map alone."""

    def __init__(
        self, backbone: IterativeResNet, out_channels: int | None, extra_blocks: ExtraFPNBlock | None
    ) -> None:
        super().__init__()
        self.backbone, self.fpn = backbone, None
        channels = backbone.feature_info.channels()
        self.out_channels = channels[-1]
        if out_channels is not None:
            self.out_channels = check_int('out_channels', out_channels, 1)
            blocks = extra_blocks or LastLevelMaxPool()
            self.fpn = FeaturePyramidNetwork(channels, out_channels, blocks)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = self.backbone(images)
        if self.fpn is None:
            return {'out': maps[-1]}
        return self.fpn({str(k): x for k, x in enumerate(maps)})


def torchvision_backbone(
    backbone: IterativeResNet, out_channels: int | None = 256, extra_blocks: ExtraFPNBlock | None = None
) -> TorchvisionBackbone:
    """A backbone with ``out_channels``, ready for torchvision's models.

    Args:
        backbone: Such as ``create_model(NAME, features_only=True)``. Its ponder cost joins the loss as
            ever, by ``backbone.ponder_cost()``.
        out_channels: Of every map of a feature pyramid, for ``FasterRCNN``, ``MaskRCNN``, ``RetinaNet``
            and ``FCOS``; None for ``DeepLabV3`` and ``FCN``, which get the last map.
        extra_blocks: Of the pyramid's coarser maps; by default one by max pooling. ``RetinaNet`` and
            ``FCOS`` take ``LastLevelP6P7``.
    """
    if not isinstance(backbone, IterativeResNet):
        raise TypeError(
            'backbone must be an IterativeResNet, such as create_model(NAME, features_only=True), '
            f'got {type(backbone).__name__}'
        )
    return TorchvisionBackbone(backbone, out_channels, extra_blocks)
