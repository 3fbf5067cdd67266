"""The twin that begins as the shared network: the same maps, then weights of its own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.voc_models.untied import UntiedResNet
from iterbackbone.core.halting import never_halt
from iterbackbone.registry import MODELS

SHARED = dict(type='iterbackbone.IterativeResNet', base_channels=4, max_iterations=(1, 2, 3, 1))
ENTRY = dict(
    type='mmdet.ResNet', depth=18, num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,)
)


@pytest.mark.parametrize('last_relu', [False, True])
@pytest.mark.parametrize('depthwise', [False, True])
def test_it_starts_as_the_shared_network_at_all_iterations(tmp_path, last_relu, depthwise):
    options = dict(**SHARED, last_relu=last_relu, last_gamma=1.0, depthwise=depthwise)
    shared = MODELS.build(options)
    for block in shared.iterative_blocks():
        if block.halting is not None:
            never_halt(block.halting)  # as AnytimeHook leaves it
    for norm in shared.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.running_mean, -0.5, 0.5)
    torch.save({'state_dict': shared.state_dict()}, tmp_path / 'shared.pth')
    start = dict(type='Pretrained', checkpoint=str(tmp_path / 'shared.pth'))
    twin = UntiedResNet({**options, 'init_cfg': start, 'out_indices': (1, 3)})
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected, found = shared.eval()(x), twin.eval()(x)
    assert len(found) == 2
    torch.testing.assert_close(found[0], expected[1])
    torch.testing.assert_close(found[1], expected[3])


def test_iterations_have_weights_of_their_own():
    twin = UntiedResNet(SHARED)
    twin.init_weights()
    twin.train()
    convolutions = [m for m in twin.stages[2].modules() if isinstance(m, nn.Conv2d)]
    assert len({id(m.weight) for m in convolutions}) == 1 + 3 * 3  # transition, three iterations
    twin(torch.rand(2, 3, 64, 64))[-1].square().sum().backward()
    second, third = (twin.stages[2][i].layers[0].weight for i in (2, 3))
    assert torch.equal(second, third)
    assert not torch.equal(second.grad, third.grad)


def test_the_entry_stays_frozen():
    twin = UntiedResNet(
        dict(**{**SHARED, 'max_iterations': (2, 2)}, num_stages=2, strides=(1, 2), entry=ENTRY)
    )
    twin.train()
    assert not any(p.requires_grad for p in twin.stem.parameters())
    assert not any(m.training for m in twin.stem.modules() if isinstance(m, nn.BatchNorm2d))
