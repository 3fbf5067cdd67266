"""Backbones as torchvision's detectors and segmentors take them; needs torchvision."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock, LastLevelMaxPool

from .core.resnet import IterativeResNet
from .core.validation import check_int


class BackboneWithPyramid(nn.Module):
    """For ``FasterRCNN`` (the default), ``MaskRCNN``, ``RetinaNet`` and ``FCOS`` of torchvision.

    Args:
        backbone: Its ponder cost joins the loss as ever, by ``backbone.ponder_cost()``.
        out_channels: Of every map.
        extra_blocks: What makes the coarser maps; by default one by max pooling. ``RetinaNet``
            and ``FCOS`` take ``LastLevelP6P7``.
    """

    def __init__(
        self,
        backbone: IterativeResNet,
        out_channels: int = 256,
        extra_blocks: ExtraFPNBlock | None = None,
    ) -> None:
        super().__init__()
        self.backbone = checked(backbone)
        self.out_channels = check_int('out_channels', out_channels, 1)
        channels = backbone.feature_info.channels()
        self.fpn = FeaturePyramidNetwork(channels, out_channels, extra_blocks or LastLevelMaxPool())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(B, C, H, W) to maps of ``out_channels`` each, the finest first."""
        return self.fpn({str(k): x for k, x in enumerate(self.backbone(images))})


class LastMap(nn.Module):
    """For ``DeepLabV3`` and ``FCN`` of torchvision, whose head takes ``out_channels``."""

    def __init__(self, backbone: IterativeResNet) -> None:
        super().__init__()
        self.backbone = checked(backbone)
        self.out_channels = backbone.feature_info.channels()[-1]

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(B, C, H, W) to the last stage's output."""
        return {'out': self.backbone(images)[-1]}


def torchvision_backbone(
    backbone: IterativeResNet, out_channels: int | None = 256, extra_blocks: ExtraFPNBlock | None = None
) -> BackboneWithPyramid | LastMap:
    """A backbone with ``out_channels``, ready for torchvision's models.

    Args:
        backbone: Such as ``create_model(NAME, features_only=True)``.
        out_channels: Of a feature pyramid, for detectors; None for segmentors, which get the last map.
        extra_blocks: Of the pyramid, see :class:`BackboneWithPyramid`.

    Raises:
        TypeError, ValueError: naming the argument, the value and what is allowed.
    """
    if out_channels is None:
        return LastMap(backbone)
    return BackboneWithPyramid(backbone, out_channels, extra_blocks)


def checked(backbone: object) -> IterativeResNet:
    """``backbone``; TypeError where it is another network, such as a classifier."""
    if not isinstance(backbone, IterativeResNet):
        raise TypeError(
            'backbone must be an IterativeResNet, such as create_model(NAME, features_only=True), '
            f'got {type(backbone).__name__}'
        )
    return backbone
