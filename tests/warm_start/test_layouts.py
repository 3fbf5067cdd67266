"""Which checkpoints are ResNets, and which are refused in what words."""

from __future__ import annotations

import pytest
import torch
import torchvision
from mmpretrain.models.backbones import ResNet, ResNetV1c, ResNetV1d, ResNeXt, SEResNet

from iterbackbone.warm_start.layouts import read_resnet
from tests.support.resnets import narrow_resnet


def state(net, prefix=''):
    return {prefix + key: value for key, value in net.state_dict().items()}


@pytest.mark.parametrize(
    ('build', 'blocks'),
    [
        (torchvision.models.resnet50, (3, 4, 6, 3)),
        (torchvision.models.resnet101, (3, 4, 23, 3)),
        (torchvision.models.resnet152, (3, 8, 36, 3)),
    ],
)
def test_torchvision(build, blocks):
    with torch.device('meta'):  # timm's bottleneck ResNets have the same names
        shapes = {key: value.shape for key, value in build().state_dict().items()}
    types = {True: torch.int64, False: torch.float32}
    state_dict = {k: torch.zeros(s, dtype=types[k.endswith('tracked')]) for k, s in shapes.items()}
    found = read_resnet(state_dict)
    assert found.blocks == blocks
    assert found[1:7] == ('', ('fc.weight', 'fc.bias'), 'imagenet', 3, 64, 4)
    assert len(found.tensors) + 2 == len(shapes)


def test_mmpretrain_resnet50():
    found = read_resnet(state(ResNet(50)))
    assert found[1:] == ('', (), 'imagenet', 3, 64, 4, (3, 4, 6, 3))


@pytest.mark.parametrize('prefix', ['backbone.', 'module.', 'module.backbone.', 'backbone.body.'])
@pytest.mark.parametrize('wrapper', [None, 'state_dict', 'model'])
def test_prefixes_and_wrappers(prefix, wrapper):
    content = {**state(narrow_resnet(), prefix), 'head.fc.weight': torch.zeros(2, 64)}
    found = read_resnet({'meta': {}, wrapper: content} if wrapper else content)
    assert found.prefix == prefix
    assert found.others == ('head.fc.weight',)
    assert found[3:] == ('imagenet', 3, 4, 4, (3, 4, 6, 3))


def test_cifar_stem_expansion_and_fewer_stages():
    options = dict(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,))
    net = narrow_resnet(cifar=True, width=6, expansion=2, in_channels=1, **options)
    found = read_resnet(state(net))
    assert found[3:] == ('cifar', 1, 6, 2, (3, 4, 6))


def test_old_checkpoints_do_not_count_batches():
    content = {k: v for k, v in state(narrow_resnet()).items() if 'num_batches' not in k}
    assert len(read_resnet(content).tensors) == len(content)


NARROW = dict(stem_channels=4, base_channels=4)


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (lambda: ResNet(18, **NARROW), '1 missing: layer1.0.conv3.weight'),
        (lambda: ResNetV1c(depth=50, stem_channels=8, base_channels=4), '1 missing: conv1.weight'),
        (lambda: ResNet(50, avg_down=True, **NARROW), 'unexpected: layer2.0.downsample.2.weight'),
        (lambda: ResNetV1d(depth=50, stem_channels=8, base_channels=4), '1 missing: conv1.weight'),
        (lambda: ResNeXt(50, groups=2, width_per_group=4), 'of another shape: conv1.weight'),
        (lambda: SEResNet(50), 'unexpected: layer1.0.se_layer.conv1'),
        (torchvision.models.wide_resnet50_2, r'of another shape: conv1.weight \(64, 3, 7, 7\)'),
    ],
)
def test_relatives_are_refused(build, message):
    with pytest.raises(ValueError, match=f'must hold a plain bottleneck ResNet.*{message}'):
        read_resnet(state(build()))


def test_timm_deep_stem_and_pooling_are_refused():
    """The names that timm gives resnet50d's stem and resnet50's with avg_down."""
    plain = state(narrow_resnet())
    with pytest.raises(ValueError, match=r'1 unexpected: conv1\.0\.weight'):
        read_resnet({**plain, 'conv1.0.weight': torch.zeros(2, 3, 3, 3)})
    with pytest.raises(ValueError, match=r'1 unexpected: layer1\.0\.downsample\.2\.weight'):
        read_resnet({**plain, 'layer1.0.downsample.2.weight': torch.zeros(16)})


def without(key):
    return {k: v for k, v in state(narrow_resnet()).items() if k != key}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (lambda: {}, "'layer1.0.conv1.weight' stands 0 times .*first keys: none"),
        (lambda: {'a.weight': torch.zeros(1)}, 'stands 0 times .*first keys: a.weight'),
        (
            lambda: {**state(narrow_resnet(), 'a.'), **state(narrow_resnet(), 'b.')},
            r"must hold one ResNet: .* stands 2 times among its keys, with the prefixes \['a.', 'b.'\]",
        ),
        (lambda: without('conv1.weight'), '1 missing: conv1.weight'),
        (lambda: without('layer2.1.bn2.bias'), '1 missing: layer2.1.bn2.bias'),
        (lambda: without('layer3.2.conv1.weight'), 'unexpected: layer3.2.bn1.weight'),
        (
            lambda: without('') | {'conv1.weight': torch.zeros(4, 3, 5, 5)},
            r'conv1.weight \(4, 3, 5, 5\) instead of 7x7 or 3x3',
        ),
    ],
)
def test_what_is_no_resnet_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        read_resnet(content())


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'state_dict': [1, 2]}, 'its state_dict must be a dict of tensors, got a list'),
        ({'model': {0: torch.zeros(1)}}, 'its keys must be text, got 0'),
        ({'conv1.weight': 'text'}, r'1 no weights: conv1.weight \(a str\)'),
        ({'bn1.running_var': -torch.ones(4)}, r'bn1.running_var \(negative\)'),
        ({'conv1.weight': torch.ones(4, 3, 7, 7, dtype=torch.int8)}, r'\(int8 instead of float32\)'),
        ({'bn1.bias': torch.full((4,), torch.nan)}, r'bn1.bias \(NaN or infinite in float32\)'),
    ],
)
def test_what_is_no_weight_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        read_resnet({**state(narrow_resnet()), **content})
