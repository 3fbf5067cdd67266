"""The plain ResNet beside an iterative network: against torchvision's and mmdet's own ResNets."""

from __future__ import annotations

import pytest
import torch
import torchvision
from mmdet.models import ResNet
from mmdet.models.roi_heads.shared_heads import ResLayer
from torch.utils.flop_counter import FlopCounterMode

from iterbackbone import IterativeResLayer, IterativeResNet
from iterbackbone.core.resnet_counterpart import ResNetCounterpart, resnet_macs
from tests.support.networks import tiny_layer, tiny_net

# torchvision 0.27.1 at 224x224 without fc, which has 2,048,000 MACs and 2,049,000 parameters
TORCHVISION = {
    50: (23_508_032, 4_087_136_256),
    101: (42_500_160, 7_799_357_440),
    152: (58_143_808, 11_511_578_624),
}
VARIANTS = [{}, {'expansion': 1}, {'depthwise': True}, {'blocks_per_stage': 2, 'expansion': 2}]


def counted(net, *shape):
    """(parameters, MACs) of a network on the meta device, by torch's own counter."""
    net.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(torch.empty(1, *shape, device='meta'))
    return sum(p.numel() for p in net.parameters()), counter.get_total_flops() // 2


def on_meta(kind, **options):
    with torch.device('meta'):
        return kind(**options)


@pytest.mark.parametrize('options', VARIANTS)
@pytest.mark.parametrize('depth', TORCHVISION)
def test_torchvisions_resnets_whatever_the_variant(depth, options):
    plain = on_meta(getattr(torchvision.models, f'resnet{depth}'))
    plain.fc = torch.nn.Identity()
    net = on_meta(IterativeResNet, depth=depth, **options)
    counterpart = ResNetCounterpart.of(net)
    assert counted(plain, 3, 224, 224) == TORCHVISION[depth]
    assert counterpart == ResNetCounterpart(f'ResNet-{depth}', TORCHVISION[depth][0])
    assert resnet_macs(net, (224, 224)) == TORCHVISION[depth][1]
    assert resnet_macs(net, (201, 333)) == counted(plain, 3, 201, 333)[1]


def test_the_papers_resnet_152_on_cifar():
    net = on_meta(IterativeResNet, stem='cifar')
    assert round(ResNetCounterpart.of(net).parameters / 1e6) == 58
    assert round(resnet_macs(net, (32, 32)) / 1e9, 1) == 3.7


@pytest.mark.parametrize(
    ('options', 'plain', 'name'),
    [
        ({'depth': 50}, {'depth': 50}, 'ResNet (3, 4, 6, 3), width 16'),
        (
            {'depth': 101, 'num_stages': 3, 'in_channels': 4},
            {'depth': 101, 'num_stages': 3, 'in_channels': 4, 'out_indices': (2,)},
            'ResNet (3, 4, 23), width 16',
        ),
        (
            {'depth': 50, 'strides': (1, 2, 1, 1), 'dilations': (1, 1, 2, 4)},
            {'depth': 50, 'strides': (1, 2, 1, 1), 'dilations': (1, 1, 2, 4)},
            'ResNet (3, 4, 6, 3), width 16',
        ),
    ],
)
def test_mmdets_resnet_with_16_channels(options, plain, name):
    net = on_meta(IterativeResNet, base_channels=16, **options)
    plain = {'strides': (1, 2, 2, 2), 'dilations': (1, 1, 1, 1), 'out_indices': (3,), **plain}
    for option in ('strides', 'dilations'):
        plain[option] = plain[option][: plain.get('num_stages', 4)]
    resnet = on_meta(ResNet, base_channels=16, style='pytorch', **plain)
    parameters, macs = counted(resnet, plain.get('in_channels', 3), 75, 100)
    assert ResNetCounterpart.of(net) == ResNetCounterpart(name, parameters)
    assert resnet_macs(net, (75, 100)) == macs


@pytest.mark.parametrize('depth', [50, 152])
def test_mmdets_c4_in_its_two_parts(depth):
    body = on_meta(IterativeResNet, depth=depth, num_stages=3)
    head = on_meta(IterativeResLayer, depth=depth)
    plain = {'strides': (1, 2, 2), 'dilations': (1, 1, 1), 'out_indices': (2,), 'num_stages': 3}
    resnet = on_meta(ResNet, depth=depth, style='pytorch', **plain)
    layer = on_meta(ResLayer, depth=depth, stage=3, stride=2, style='pytorch')
    body_parameters, body_macs = counted(resnet, 3, 600, 800)
    head_parameters, head_macs = counted(layer, 1024, 14, 14)
    assert resnet_macs(body, (600, 800)) == body_macs
    assert resnet_macs(head, (14, 14)) == head_macs
    name = 'layer4 of a ResNet, 3 blocks, width 64'
    assert ResNetCounterpart.of(head) == ResNetCounterpart(name, head_parameters)
    whole = ResNetCounterpart(f'ResNet-{depth}', body_parameters + head_parameters)
    assert ResNetCounterpart.of(body, head) == whole


def test_other_shapes_are_named_by_their_blocks_and_width():
    assert ResNetCounterpart.of(tiny_net()).name == 'ResNet (2, 3, 5, 2), width 4'
    single = tiny_net(num_stages=1, max_iterations=(2,))
    assert ResNetCounterpart.of(single).name == 'ResNet (2), width 4'
    assert ResNetCounterpart.of(tiny_layer()).name == 'layer4 of a ResNet, 4 blocks, width 4'
    assert ResNetCounterpart.of(tiny_layer(stage=1)).name == 'layer2 of a ResNet, 4 blocks, width 4'
