"""Stages behind another network's: compute, field, freezing, every form of execution."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet18, squeezenet1_1

from iterbackbone import IterativeResNet
from iterbackbone.core.entry import Entry
from iterbackbone.core.macs import mac_table
from iterbackbone.core.receptive_field import receptive_fields
from iterbackbone.core.resnet_counterpart import ResNetCounterpart, resnet_macs
from iterbackbone.export import ExportForm
from tests.support.networks import relative_error, varied

SHAPE = {'base_channels': 4, 'num_stages': 2, 'max_iterations': (2, 3), 'strides': (1, 2)}


def resnet_start(classifier=resnet18):
    """Stem and two stages of torchvision's ResNet-18, with a branch beside a convolution."""
    net = classifier()
    return nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1, net.layer2)


def chain():
    """A strided, a dilated and a pooled layer, and a global one beside them."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2),
        nn.MaxPool2d(3, stride=2, padding=1),
        Scaled(4),
    )


class Scaled(nn.Module):
    """Squeeze-and-excitation: a convolution of one pixel."""

    def __init__(self, channels):
        super().__init__()
        self.fc = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return x * self.fc(x.mean(dim=(2, 3), keepdim=True)).sigmoid()


def network(entry=None, **options):
    return IterativeResNet(entry=entry or chain(), **{**SHAPE, **options})


@pytest.mark.parametrize('make', [resnet_start, chain])
@pytest.mark.parametrize('size', [(64, 64), (75, 130)])
def test_macs_are_those_of_torchs_counter(make, size):
    net = network(make()).eval()
    with FlopCounterMode(display=False) as counter:
        features = net(torch.rand(1, 3, *size))
    table = mac_table(net, size)
    iterations = net.iterations()[0].tolist()
    assert counter.get_total_flops() == 2 * table.total(iterations)
    assert sum(layer.total(size) for layer in net.stem.layers) < table.fixed
    reductions = net.feature_info.reduction()
    for feature, info in zip(features, net.feature_info, strict=True):
        assert feature.shape[1:] == (
            info['num_chs'],
            *(-(-side // info['reduction']) for side in size),
        )
    assert reductions == [net.stem.reduction, 2 * net.stem.reduction]


def test_the_field_of_a_chain():
    entry = Entry(chain())
    # 5 at stride 1; 3, dilated by 2, at stride 2; 3 at stride 2; global pooling is left out
    assert sum(layer.field for layer in entry.layers) == 4 + 8 + 4
    assert (entry.reduction, entry.out_channels) == (4, 4)
    net = network(entry)
    assert receptive_fields(net, (1, 1)) == (17 + 8, 17 + 8 + 16)
    assert receptive_fields(net) == (17 + 2 * 8, 17 + 2 * 8 + 3 * 16)


def test_a_frozen_entry_stays_as_it_is():
    net = network(resnet_start())
    before = {name: value.clone() for name, value in net.stem.state_dict().items()}
    net.train()
    net(torch.rand(2, 3, 64, 64))[-1].sum().backward()
    assert not any(part.training for part in net.stem.modules())
    assert all(p.grad is None and not p.requires_grad for p in net.stem.parameters())
    assert net.stages[0].transition.conv.weight.grad.abs().sum() > 0
    after = net.stem.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_an_entry_can_be_trained():
    net = network(Entry(resnet_start(), frozen=False)).train()
    net(torch.rand(2, 3, 64, 64))[-1].sum().backward()
    first = net.stem.network[0]
    assert first.weight.grad.abs().sum() > 0
    assert net.stem.network[1].training


def test_frozen_stages_freeze_it_too():
    net = network(Entry(resnet_start(), frozen=False), frozen_stages=0).train()
    assert not any(p.requires_grad for p in net.stem.parameters())
    assert not net.stem.network[1].training
    assert net.stages[0].transition.norm.training


def test_measuring_leaves_the_network_as_it_was():
    net = resnet_start().train()
    net[1].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    Entry(net, frozen=False)
    assert [part.training for part in (net, net[4], net[1])] == [True, True, False]
    assert not net[0]._forward_hooks
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_network_that_cannot_be_copied_is_measured():
    net = chain()
    net[0] = torch.nn.utils.spectral_norm(net[0])
    net(torch.rand(1, 3, 16, 16))  # from now on it keeps a tensor with a gradient
    net.lock = threading.Lock()
    assert Entry(net).layers == Entry(chain()).layers


def test_the_last_of_several_maps_counts():
    class Maps(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 6, 3, 2, 1)

        def forward(self, x):
            x = self.one(x)
            return x, self.two(x)

    entry = Entry(Maps())
    assert (entry.out_channels, entry.reduction) == (6, 4)


def test_inference_and_export_give_the_same():
    x = torch.rand(2, 3, 64, 96).double()
    net = varied(network(resnet_start()), x.float()).eval().double()
    with torch.no_grad():
        expected = net(x)
        iterations = net.iterations()
        exported = ExportForm(net)(x)
        optimised = net.optimize_for_inference()(x)
    for one, other, wanted in zip(exported.features, optimised, expected, strict=True):
        assert relative_error(one, wanted) < 1e-4
        assert relative_error(other, wanted) < 1e-4
    assert torch.equal(exported.iterations, iterations)
    assert torch.equal(net.iterations(), iterations)


def test_the_counterpart_stands_behind_the_same_entry():
    net = network(chain())
    entry = sum(p.numel() for p in net.stem.parameters())
    c, n = 4, 4  # the entry's channels, the first width
    first = c * n + 9 * n * n + n * 4 * n + c * 4 * n + 2 * (2 * n + 8 * n)
    second = 4 * n * n + 9 * n * n + 4 * n * n + 2 * 6 * n
    only = network(chain(), num_stages=1, max_iterations=(2,), strides=(1,))
    assert ResNetCounterpart.of(only).parameters == entry + first + second
    pixels = 16 * 16
    weights = c * n + 9 * n * n + n * 4 * n + c * 4 * n + 4 * n * n + 9 * n * n + 4 * n * n
    entry = sum(layer.total((64, 64)) for layer in only.stem.layers)
    assert resnet_macs(only, (64, 64)) == entry + pixels * weights


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        (nn.Conv2d(3, 4, 3), r'entry must round sizes up.*\(94, 158\) of an image of \(96, 160\)'),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.AvgPool2d(2)), r'entry must round sizes up'),
        (nn.Conv2d(3, 4, 4, stride=2, padding=2), r'\(49, 81\) of an image of \(96, 160\)'),
        (squeezenet1_1(), r'entry must return a map|must round sizes up'),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1)), 'entry must return a map of the'),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten()), 'entry must return a map'),
    ],
)
def test_what_is_no_entry_is_named(entry, message):
    with pytest.raises(ValueError, match=message):
        Entry(entry)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('resnet18',), r"entry must be a torch.nn.Module, got 'resnet18'"),
        ((nn.Conv2d(3, 4, 1), 0), 'in_channels must be'),
        ((nn.Conv2d(3, 4, 1), 3, 'yes'), 'entry.frozen must be'),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Entry(*arguments)


@pytest.mark.parametrize(('kernel', 'stride'), [(7, 7), (5, 5), (9, 9), (3, 3)])
def test_the_stride_need_not_divide_the_measured_image(kernel, stride):
    conv = nn.Conv2d(3, 4, kernel, stride=stride, padding=(kernel - 1) // 2)
    net = network(conv, num_stages=1, max_iterations=(2,), strides=(1,))
    assert net.feature_info.reduction() == [stride]
    assert net(torch.zeros(1, 3, 315, 315))[0].shape[2] == -(-315 // stride)


@pytest.mark.parametrize('place', [torch.float64, torch.bfloat16, 'meta'])
def test_a_network_of_another_type_or_device_is_measured(place):
    entry = Entry(chain().to(place))
    assert (entry.out_channels, entry.reduction) == (4, 4)


def test_a_refused_network_is_left_in_training_mode():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten()).train()
    with pytest.raises(ValueError, match='entry must return a map'):
        Entry(net)
    assert all(part.training for part in net.modules())
