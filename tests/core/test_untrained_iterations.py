"""Iterations without statistics of their own: evaluation stops before them, and says so once."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from tests.support.networks import MAX_ITERATIONS, blocks, images, stop_at_once, tiny_net


def trained_net(logit: float, steps: int = 2, **options) -> nn.Module:
    """Trained where every score is sigmoid(logit) and every image stops alike."""
    net = stop_at_once(tiny_net(**options)).train()
    for block in blocks(net):
        nn.init.constant_(block.halting.fc2.bias, logit)
    for _ in range(steps):
        net(images(4))
        net.drop_trace()
    for block in blocks(net):
        nn.init.constant_(block.halting.fc2.bias, -20.0)  # now they would use all iterations
    return net


def test_evaluation_stops_at_the_last_trained_iteration():
    net, x = trained_net(0.5).eval(), images(3)  # 0.62 twice: two iterations
    with pytest.warns(UserWarning, match='in training, so the BatchNorm') as caught:
        net(x)
    assert net.iterations().tolist() == [[2, 2, 2, 2]] * 3
    assert net.trace.limits == (2, 2, 2, 2)
    torch.testing.assert_close(net.trace.ponder_cost, torch.full((3, 4), 3.0))
    assert [str(w.message) for w in caught] == [
        f'block 0 of stage {k} ran at most 2 of its {length} iterations in training, so the '
        'BatchNorm statistics of the others mean nothing: evaluation stops at 2'
        for k, length in ((1, 3), (2, 5))
    ]
    with warnings.catch_warnings():
        warnings.filterwarnings('error', message='block')
        net(x)  # said once
        net.train()(x)
        assert net.iterations().tolist() == [list(MAX_ITERATIONS)] * 3  # training is not capped
        net.eval()(x)  # and now all are trained
        assert net.iterations().tolist() == [list(MAX_ITERATIONS)] * 3


def test_weights_of_a_stage_bring_their_own_limit():
    net = trained_net(-20.0).eval()
    net(images(2))
    assert net.trace.limits == MAX_ITERATIONS
    net.stages[2].load_state_dict(trained_net(0.5).stages[2].state_dict())
    with pytest.warns(UserWarning, match='stage 2 ran at most 2 of its 5 iterations'):
        net(images(2))
    assert net.trace.limits == (2, 3, 2, 2)
    net.stages[2].train()
    net(images(2))  # reaches all five
    net.stages[2].eval()
    net(images(2))
    assert net.trace.limits == MAX_ITERATIONS


def test_untrained_iterations_and_budget_both_cap():
    net = trained_net(0.5).eval()
    net.set_budget(max_iterations=[1, 3, 3, 1])
    with pytest.warns(UserWarning, match='in training, so the BatchNorm') as caught:
        net(images(2))
    assert len(caught) == 2
    assert net.iterations().tolist() == [[1, 2, 2, 1]] * 2


def test_second_block_is_named():
    net = trained_net(0.5, blocks_per_stage=2, max_iterations=(2, 3), num_stages=2).eval()
    with pytest.warns(UserWarning, match='in training, so the BatchNorm') as caught:
        net(images(2))
    names = [str(w.message).split(' ran')[0] for w in caught]
    assert names == ['block 0 of stage 1', 'block 1 of stage 1']


def test_networks_without_trained_statistics_are_not_capped():
    with warnings.catch_warnings():
        warnings.filterwarnings('error', message='block')
        for options in ({}, {'norm_layer': lambda channels: nn.GroupNorm(2, channels)}):
            net = trained_net(20.0, steps=0 if not options else 2, **options).eval()
            net(images(2))
            assert net.iterations().tolist() == [list(MAX_ITERATIONS)] * 2


def test_a_loaded_checkpoint_decides_anew():
    net, x = trained_net(20.0).eval(), images(2)
    fresh = tiny_net().state_dict()
    with pytest.warns(UserWarning, match='evaluation stops at 1'):
        net(x)
    net.load_state_dict(fresh)
    net(x)
    assert net.iterations().tolist() == [list(MAX_ITERATIONS)] * 2


@pytest.mark.parametrize('options', [{'norm_eval': True}, {'frozen_stages': 4}])
def test_frozen_norms_are_not_trained_by_running(options):
    net = tiny_net(**options)
    net.load_state_dict(trained_net(0.5).state_dict())
    with pytest.warns(UserWarning, match='in training, so the BatchNorm'):
        net.train()(images(2))
    assert net.trace.limits == (2, 2, 2, 2)
