"""The inference form leaves the network as it was, and follows every change of its weights."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

from tests.support.forms import X, assert_same
from tests.support.networks import tiny_net, varied


def test_state_dict_and_input_stay(net):
    before = {key: value.clone() for key, value in net.state_dict().items()}
    x = X.clone()
    net.optimize_for_inference()
    first, second = net(x), net(x)
    assert torch.equal(x, X)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    after = net.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_training_ends_it(net):
    plain = net(X)
    net.optimize_for_inference().train()
    assert net(X)[-1].requires_grad
    net.load_state_dict(net.state_dict())
    net.eval()
    found = net.optimize_for_inference()(X)
    assert not found[-1].requires_grad
    net.optimize_for_inference(False)
    assert not any(torch.equal(a, b) for a, b in zip(net(X), plain, strict=True))  # trained once
    assert net(X)[-1].requires_grad


def test_other_weights_are_noticed(net):
    other = varied(tiny_net().eval(), torch.randn(8, 3, 32, 32))
    expected = other(X)
    net.optimize_for_inference().load_state_dict(other.state_dict())
    assert_same(expected, net(X))


def test_another_type_is_noticed(net):
    expected = net.double()(X.double())
    found = net.float().optimize_for_inference().double()(X.double())
    assert found[0].dtype == torch.float64
    assert_same(expected, found)


@pytest.mark.parametrize('again', [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_have_the_form_and_weights_of_their_own(net, again):
    expected = net.optimize_for_inference()(X)
    copied = again(net)
    nn.init.zeros_(net.stages[0].blocks[0].conv1.weight)
    assert all(torch.equal(a, b) for a, b in zip(copied(X), expected, strict=True))


def load(net):
    net.stages[2].load_state_dict(varied(tiny_net(), X).stages[2].state_dict())


@torch.no_grad()
def edit_in_place(net):
    for norm in net.stages[2].blocks[0].norm2:
        norm.running_var.mul_(4.0)


def write_by_data(net):
    """As averaged weights are swapped in; tensors do not count such a write."""
    for p in net.stages[1].parameters():
        p.data.copy_(1.5 * p.data)


def step(net):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    for p in net.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()


def assign(net):
    state = {key: 1.5 * value for key, value in net.stages[3].state_dict().items()}
    net.stages[3].load_state_dict(state, assign=True)


def replace_a_norm(net):
    net.stages[2].blocks[0].norm3[1] = nn.BatchNorm2d(32).eval()


def other_eps(net):
    net.stages[2].blocks[0].norm1[0].eps = 3.0


def other_type(net):
    net.stem.double()
    net.stages.to(torch.float64)


CHANGES = [load, edit_in_place, write_by_data, step, assign, replace_a_norm, other_eps, other_type]


@pytest.mark.parametrize('change', CHANGES)
def test_every_change_of_weights_counts(net, change):
    net.optimize_for_inference()
    before = net(X)
    change(net)
    x = X.to(net.stem.conv.weight.dtype)
    found = net(x)
    expected = net.optimize_for_inference(False)(x)
    assert_same(expected, found)
    assert change is other_type or (expected[-1] - before[-1]).abs().max() > 0.01
    assert found[-1].dtype == expected[-1].dtype
