"""torchvision's own detectors and segmentor with the backbone: a step of training and a test."""

from __future__ import annotations

import pytest
import torch
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.segmentation import DeepLabV3
from torchvision.models.segmentation.deeplabv3 import DeepLabHead
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from iterbackbone import create_model
from iterbackbone.torchvision import torchvision_backbone

SIZE = dict(min_size=64, max_size=64)


def network(**options):
    return create_model(
        'iterative_resnet50', features_only=True, base_channels=4, expansion=2, **options
    )


def check_detector(model):
    boxes, labels = torch.tensor([[4.0, 4.0, 40.0, 40.0]]), torch.tensor([1])
    losses = model([torch.rand(3, 64, 64)] * 2, [dict(boxes=boxes, labels=labels)] * 2)
    backbone = model.backbone.backbone
    loss = sum(losses.values()) + 0.005 * backbone.ponder_cost().mean()
    loss.backward()
    grads = {name for name, p in backbone.named_parameters() if p.grad is not None}
    assert {f'stages.{k}.blocks.0.conv1.weight' for k in range(4)} <= grads
    model.eval()
    with torch.no_grad():
        (found,) = model([torch.rand(3, 64, 64)])
    assert set(found) == {'boxes', 'labels', 'scores'}
    assert tuple(backbone.iterations().shape) == (1, 4)


def test_faster_rcnn():
    check_detector(FasterRCNN(torchvision_backbone(network(), 16), num_classes=3, **SIZE))


@pytest.mark.parametrize('kind', [RetinaNet, FCOS])
def test_dense_detectors(kind):
    backbone = network(out_indices=(1, 2, 3))
    pyramid = torchvision_backbone(backbone, 64, LastLevelP6P7(64, 64))
    sizes = tuple((x,) for x in (32, 64, 128, 256, 512))
    ratios = ((0.5, 1.0, 2.0) if kind is RetinaNet else (1.0,),) * 5
    check_detector(
        kind(pyramid, num_classes=3, anchor_generator=AnchorGenerator(sizes, ratios), **SIZE)
    )


def test_deeplab():
    backbone = torchvision_backbone(network(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4)), None)
    model = DeepLabV3(backbone, DeepLabHead(backbone.out_channels, 5)).eval()
    with torch.no_grad():
        assert model(torch.rand(2, 3, 64, 64))['out'].shape == (2, 5, 64, 64)


def test_wrong_channels():
    with pytest.raises(ValueError, match='out_channels must be >= 1, got 0'):
        torchvision_backbone(network(), 0)
