"""The halting unit: initial scores, precision, held scores."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from iterbackbone.core.halting import HaltingUnit, full_depth_bias, let_halt, mean_over_pixels
from tests.support.networks import blocks, images, tiny_net


def pooled(rows: int = 5, channels: int = 6) -> tuple[Tensor, Tensor]:
    return torch.randn(rows, channels), torch.randn(rows, channels).relu()


@pytest.mark.parametrize('length', [2, 3, 5, 8, 23, 36, 100])
def test_initial_bias(length):
    bias = full_depth_bias(length)
    assert bias == pytest.approx(min(-3, math.log(0.5 / length / (1 - 0.5 / length))))
    assert bias <= -3
    assert (length - 1) / (1 + math.exp(-bias)) < 0.5


def test_a_fixed_bias_of_minus_three_would_stop_36_iterations_at_21():
    score = 1 / (1 + math.exp(3))
    assert math.ceil(0.99 / score) == 21
    assert full_depth_bias(36) < -3
    assert full_depth_bias(3) == -3


def test_fresh_unit_gives_every_row_the_same_score():
    unit = HaltingUnit(6, 36)
    scores = unit(*pooled())
    assert unit.fc2.weight.count_nonzero() == 0
    assert unit.fc2.bias.item() == pytest.approx(full_depth_bias(36))
    torch.testing.assert_close(scores, torch.full((5,), 0.5 / 36))
    assert [tuple(p.shape) for p in unit.parameters()] == [(64, 12), (64,), (1, 64), (1,)]


def test_score_is_the_two_layer_network_of_the_paper():
    unit = HaltingUnit(6, 4, hidden=3, bias=-1.5)
    torch.nn.init.normal_(unit.fc2.weight)
    state, output = pooled()
    hidden = torch.cat([state, output], 1) @ unit.fc1.weight.T + unit.fc1.bias
    expected = 1 / (1 + torch.exp(-(hidden.clamp(min=0) @ unit.fc2.weight[0] - 1.5)))
    torch.testing.assert_close(unit(state, output), expected)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float64])
def test_runs_in_float32_whatever_the_weights(dtype):
    unit = HaltingUnit(6, 4)
    torch.nn.init.normal_(unit.fc2.weight)
    state, output = pooled()
    rounded = unit.to(dtype).fc1.weight.float() @ torch.cat([state, output], 1).T
    hidden = (rounded.T + unit.fc1.bias.float()).relu()
    expected = (hidden @ unit.fc2.weight.float()[0] + unit.fc2.bias.float()).sigmoid()
    scores = unit(state, output)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, expected)


def test_autocast_changes_nothing():
    unit = HaltingUnit(6, 4)
    torch.nn.init.normal_(unit.fc2.weight)
    args = pooled()
    expected = unit(*args)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        scores = unit(*args)
    assert scores.dtype == torch.float32
    assert torch.equal(scores, expected)


def test_pooling_is_float32():
    features = (torch.rand(2, 3, 40, 41) + 1).bfloat16()
    expected = features.double().mean(dim=(2, 3)).float()
    assert mean_over_pixels(features).dtype == torch.float32
    torch.testing.assert_close(mean_over_pixels(features), expected, rtol=1e-6, atol=0)


def test_held_unit_ignores_its_weights():
    unit = HaltingUnit(6, 5, bias=-2.0)
    torch.nn.init.normal_(unit.fc2.weight)
    torch.nn.init.constant_(unit.fc2.bias, 7.0)
    unit.held = True
    scores = unit(*pooled())
    torch.testing.assert_close(scores, torch.full((5,), 1 / (1 + math.exp(2.0))))
    assert not scores.requires_grad


@pytest.mark.parametrize('iterations', [(2, 3, 5, 2), (3, 8, 36, 3)])
def test_training_begins_at_full_depth(iterations):
    net = tiny_net(max_iterations=iterations, stem='imagenet').train()
    net(images(3, 64, 64))
    assert net.iterations().tolist() == [list(iterations)] * 3
    score = 1 / (1 + torch.tensor([-full_depth_bias(n) for n in iterations]).exp())
    expected = torch.tensor(iterations) + 1 - score * (torch.tensor(iterations) - 1)
    torch.testing.assert_close(net.trace.ponder_cost, expected.expand(3, 4), rtol=0, atol=1e-5)


def test_gradient_reaches_fc1_one_step_after_fc2():
    net = tiny_net().train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    x = images(4)
    net(x)
    net.ponder_cost().mean().backward()
    for block in blocks(net):
        assert block.halting.fc2.weight.grad.count_nonzero() > 0
        assert block.halting.fc1.weight.grad.count_nonzero() == 0
        assert block.halting.fc2.bias.grad.item() < 0  # a higher score makes it cheaper
    optimizer.step()
    optimizer.zero_grad()
    net(x)
    net.ponder_cost().mean().backward()
    for block in blocks(net):
        assert block.halting.fc1.weight.grad.count_nonzero() > 0


def test_halting_options():
    net = tiny_net(halting={'hidden': 7, 'bias': -1.25, 'epsilon': 0.05})
    assert net.epsilon == 0.05
    for block in blocks(net):
        assert block.halting.fc1.out_features == 7
        assert block.halting.fc2.bias.item() == -1.25


def test_layer_norm_takes_the_scale_out_of_each_half():
    plain, unit = HaltingUnit(6, 4), HaltingUnit(6, 4, layer_norm=True)
    torch.nn.init.normal_(plain.fc2.weight)
    unit.load_state_dict(plain.state_dict())  # no parameters of its own
    state, output = pooled()

    def normal(x):
        return (x - x.mean(dim=1, keepdim=True)) / (
            x.var(dim=1, correction=0, keepdim=True) + 1e-5
        ).sqrt()

    torch.testing.assert_close(unit(state, output), plain(normal(state), normal(output)))
    torch.testing.assert_close(unit(state * 100, output), unit(state, output), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(unit(state, output), plain(state, output))


def test_a_shard_without_the_bias_is_left_alone():
    """As FSDP leaves a unit's parameters to all ranks but one."""
    unit = HaltingUnit(channels=4, max_iterations=3)
    for parameter in unit.parameters():
        parameter.data = parameter.data.new_empty(0)
    let_halt(unit)
    assert all(parameter.numel() == 0 for parameter in unit.parameters())
