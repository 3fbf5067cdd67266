"""What ``create_model`` puts behind a backbone."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from ..core.resnet import IterativeResNet
from ..core.validation import check_int


class IterativeClassifier(nn.Module):
    """Pooled features of the last stage and a linear layer, none for 0 ``num_classes``.

    State-dict keys are those of mmpretrain's.
    """

    def __init__(self, backbone: IterativeResNet, num_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.feature_info, self.pretrained_cfg = backbone.feature_info, backbone.pretrained_cfg
        self.num_features = self.feature_info.channels()[-1]
        self.head = nn.Sequential(OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(1)))
        IterativeClassifier.reset_classifier(self, num_classes)  # another one needs its own head

    def get_classifier(self) -> nn.Module:
        """The linear layer, or an identity."""
        return self.head.get_submodule('fc')

    def reset_classifier(self, num_classes: int) -> None:
        """Put a new linear layer at the end, or none (0)."""
        self.num_classes = check_int('num_classes', num_classes, 0)
        last = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        self.head.add_module('fc', last)

    def forward_features(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to the last stage's output, (B, num_features, h, w)."""
        return self.backbone(x)[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes), or to pooled features (B, num_features)."""
        return self.head(self.forward_features(x))
