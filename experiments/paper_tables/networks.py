"""mmpretrain's configs of the tables' networks."""

from __future__ import annotations

from typing import Any

RESNET_DEPTHS = (18, 50, 101, 152)


def resnet(depth: int, num_classes: int, stem: str) -> dict[str, Any]:
    """mmpretrain's ResNet; ``stem`` is ``'imagenet'`` or ``'cifar'``."""
    kind = 'ResNet' if stem == 'imagenet' else 'ResNet_CIFAR'
    return _classifier(dict(type=kind, depth=depth), 512 if depth == 18 else 2048, num_classes)


def iterative(num_classes: int, **backbone: Any) -> dict[str, Any]:
    """IterativeResNet-152 of the paper's block, with the arguments given."""
    paper = dict(depth=152, last_gamma=1.0, last_relu=True, out_indices=(3,))
    backbone = dict(type='iterbackbone.IterativeResNet', **{**paper, **backbone})
    return _classifier(backbone, 512 * backbone.get('expansion', 4), num_classes)


def shufflenet_v1(num_classes: int) -> dict[str, Any]:
    """mmpretrain's ShuffleNetV1 1x with 3 groups; torchvision has none."""
    return _classifier(dict(type='ShuffleNetV1', groups=3), 960, num_classes)


def torchvision_network(name: str, **options: Any) -> dict[str, Any]:
    """A function of ``torchvision.models``; its classifier is part of it."""
    return dict(type='ImageClassifier', backbone=dict(type=f'torchvision.models.{name}', **options))


def _classifier(backbone: dict[str, Any], channels: int, num_classes: int) -> dict[str, Any]:
    return dict(
        type='ImageClassifier',
        backbone=backbone,
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=num_classes, in_channels=channels),
    )
