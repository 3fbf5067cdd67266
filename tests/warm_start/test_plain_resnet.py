"""The plain loop against the libraries' own ResNets."""

from __future__ import annotations

import pytest
import torch

from iterbackbone.warm_start.layouts import read_resnet
from iterbackbone.warm_start.plain_resnet import stage_outputs
from tests.support.resnets import narrow_resnet


@torch.no_grad()
@pytest.mark.parametrize(('cifar', 'side'), [(False, 64), (False, 65), (True, 32)])
def test_same_as_mmpretrain(cifar, side):
    net = narrow_resnet(cifar)
    images = torch.randn(2, 3, side, side)
    outputs = stage_outputs(read_resnet(net.state_dict()), images)
    for ours, theirs in zip(outputs, net(images), strict=True):
        torch.testing.assert_close(ours, theirs)


@torch.no_grad()
def test_observes_the_input_of_every_convolution():
    net = narrow_resnet(cifar=True)
    images = torch.randn(2, 3, 32, 32)
    seen = {}
    stage_outputs(read_resnet(net.state_dict()), images, lambda name, x: seen.update({name: x}))
    assert len(seen) == 16 * 3
    inputs = {}
    for name in ('layer2.1.conv1', 'layer2.1.conv2', 'layer4.0.conv3'):
        hook = lambda _, args, name=name: inputs.update({name: args[0]})  # noqa: E731
        net.get_submodule(name).register_forward_pre_hook(hook)
    net(images)
    for name, expected in inputs.items():
        torch.testing.assert_close(seen[name], expected)
