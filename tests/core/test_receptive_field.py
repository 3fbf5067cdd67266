"""The receptive field by arithmetic is where the gradient reaches."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from iterbackbone import IterativeResNet
from iterbackbone.core.receptive_field import receptive_fields
from tests.support.networks import tiny_layer, tiny_net


def test_the_closed_form_of_the_imagenet_stem():
    net = IterativeResNet(depth=152, base_channels=1)
    for k in ((1, 1, 1, 1), (3, 4, 6, 3), (3, 8, 36, 3)):
        field = 11 + 8 * k[0] + 16 * k[1] + 32 * k[2] + 64 * k[3]
        assert receptive_fields(net, k)[-1] == field
    assert receptive_fields(net) == (35, 163, 1315, 1507)


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'stem': 'imagenet'},
        {'dilations': (1, 2, 1, 2), 'strides': (1, 2, 1, 1)},
        {'blocks_per_stage': 2},
        {'depthwise': True},
    ],
)
def test_the_gradient_reaches_just_as_far(options):
    """Positive weights and no ReLU that cuts: the gradient's extent is the whole field."""
    net = tiny_net(num_stages=2, max_iterations=(2, 2), **_two(options)).double().eval()
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1.0 / module.weight[0].numel())
    for depths in ((1, 1), (2, 1), (1, 2)):
        wanted = receptive_fields(net, depths)[-1]
        blocks = options.get('blocks_per_stage', 1)
        each = [d for d in depths for _ in range(blocks)]
        net.force_depths(torch.tensor([each]))
        x = torch.ones(1, 3, 161, 161, dtype=torch.double)
        x += torch.rand_like(x) * 1e-3  # a maximum must be unique for its pooling's gradient
        assert _extent(net, x) == pytest.approx((wanted, wanted), abs=2 if 'stem' in options else 0)


def _two(options):
    return {key: v[:2] if isinstance(v, tuple) else v for key, v in options.items()}


def _extent(net, x):
    """Rows and columns of the input that one output of the last stage depends on."""
    x.requires_grad_()
    out = net(x)[-1]
    out[0, :, out.shape[2] // 2, out.shape[3] // 2].sum().backward()
    used = x.grad[0].abs().sum(dim=0) > 0
    rows, columns = used.any(dim=1).nonzero(), used.any(dim=0).nonzero()
    return tuple(int(n.max() - n.min()) + 1 for n in (rows, columns))


def test_a_roi_layer_sees_its_own_input():
    assert receptive_fields(tiny_layer(), [3]) == (1 + 3 * 4,)


def test_bad_iterations():
    with pytest.raises(ValueError, match=r'max_iterations\[1\] must be between 1 and 3, got 4'):
        receptive_fields(tiny_net(), (1, 4, 1, 1))
