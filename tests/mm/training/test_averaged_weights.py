"""Averaged weights whose integer buffers stay those of the first step."""

from __future__ import annotations

import pytest
import torch
from mmengine.model import ExponentialMovingAverage, MomentumAnnealingEMA, StochasticWeightAverage
from torch import nn

from iterbackbone import IterativeResNet
from tests.support.networks import blocks

AVERAGES = {
    ExponentialMovingAverage: dict(momentum=0.3),
    MomentumAnnealingEMA: dict(gamma=3),
    StochasticWeightAverage: {},
}


def set_bias(net, bias):
    for block in blocks(net):
        nn.init.constant_(block.halting.fc2.bias, bias)


@pytest.mark.parametrize('average', AVERAGES, ids=lambda average: average.__name__)
def test_iterations_trained_after_the_first_step_are_not_capped(average):
    net = IterativeResNet(
        stem='cifar', base_channels=4, expansion=1, num_stages=2, max_iterations=(3, 6)
    )
    images = torch.randn(4, 3, 8, 8)
    averaged = average(net, update_buffers=True, **AVERAGES[average])
    for bias in (0.5, -0.2, -0.2, -0.2):  # sigmoid(0.5) = 0.62: two iterations, then three
        set_bias(net, bias)
        net(images)
        net.drop_trace()
        averaged.update_parameters(net)
    evaluated = averaged.module.eval()
    counts = [int(norm.num_batches_tracked) for norm in evaluated.stages[1].blocks[0].norm1]
    assert counts == [1, 1, 0, 0, 0, 0]
    set_bias(evaluated, -20.0)
    with pytest.warns(UserWarning, match='block 0 of stage 1 ran at most 3 of its 6') as caught:
        evaluated(images)
    assert len(caught) == 1  # all 3 of stage 0 are trained
    assert evaluated.iterations().tolist() == [[3, 3]] * 4
