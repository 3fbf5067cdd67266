"""Prices of iterations: easy rows pay, hard rows are paid."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from core.networks import varied
from iterbackbone import IterativeResNet
from iterbackbone.core.difficulty import PricedCost, price_of


@pytest.mark.parametrize(
    ('sizes', 'prices'),
    [
        ([3.0, 1.0, 2.0], [-1, 1, 0]),
        ([0.1, 0.2], [1, -1]),
        ([5.0, 4.0, 3.0, 2.0, 1.0], [-1, -0.5, 0, 0.5, 1]),
        ([7.0], [0]),
        ([], []),
    ],
)
def test_prices(sizes, prices):
    torch.testing.assert_close(price_of(tensor(sizes)), tensor(prices, dtype=torch.float32))


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=40))
def test_prices_sum_to_zero_and_fall_with_the_gradient(sizes):
    prices = price_of(tensor(sizes))
    assert prices.sum().abs() < 1e-4
    assert prices.min() == -1
    assert prices.max() == 1
    order = tensor(sizes).argsort()
    assert (prices[order].diff() < 0).all()


def test_the_costs_gradient_is_priced_and_the_features_is_not():
    cost = torch.ones(3, 2, requires_grad=True)
    features = [torch.zeros(3, 1, 1, 2, requires_grad=True) for _ in range(2)]
    same, *outputs = PricedCost.apply(cost, *features)
    assert torch.equal(same, cost)
    # Norms of the rows' gradients over both maps: 5, 3 and 13; so the prices are 0, 1, -1.
    first = tensor([[3.0, 0.0], [3.0, 0.0], [0.0, 5.0]]).view(3, 1, 1, 2)
    second = tensor([[0.0, 4.0], [0.0, 0.0], [12.0, 0.0]]).view(3, 1, 1, 2)
    torch.autograd.backward([same, *outputs], [torch.full((3, 2), 0.5), first, second])
    assert cost.grad.tolist() == [[0, 0], [0.5, 0.5], [-0.5, -0.5]]
    assert torch.equal(features[0].grad, first)
    assert torch.equal(features[1].grad, second)


def test_without_a_task_gradient_the_cost_stays_as_it_is():
    cost = torch.ones(2, 1, requires_grad=True)
    priced, _ = PricedCost.apply(cost, torch.zeros(2, 1, 1, 1, requires_grad=True))
    priced.sum().backward()
    assert cost.grad.tolist() == [[1], [1]]


def network():
    return IterativeResNet(
        stem='cifar', base_channels=2, expansion=1, num_stages=2, max_iterations=(3, 4)
    )


def test_a_network_gives_a_priced_cost_only_where_asked_and_in_training():
    net, images = network().train(), torch.randn(4, 3, 8, 8)
    net(images)
    assert net.trace.priced_cost is None
    net.price_difficulty()
    net(images)
    assert torch.equal(net.trace.priced_cost, net.trace.ponder_cost)
    net.eval()(images)
    assert net.trace.priced_cost is None
    net.train().price_difficulty(False)
    net(images)
    assert net.trace.priced_cost is None


def test_iterations_move_from_rows_without_a_task_gradient_to_those_with_one():
    """The halting gradient pushes the easy rows' scores up and the hard rows' down."""
    images = torch.randn(6, 3, 8, 8)
    net = varied(network(), images).train()
    net.price_difficulty()
    scores = []

    def keep(_, __, score):
        score.retain_grad()
        scores.append(score)

    net.stages[1].blocks[0].halting.register_forward_hook(keep)  # nothing comes after it
    features = net(images)[-1]
    difficulty = torch.arange(6.0)  # row 0 is easy, row 5 is hard
    task = (features.flatten(1).sum(dim=1) * difficulty).sum()
    (task * 1e-9 + net.trace.priced_cost.sum()).backward()
    running = net.trace.iterations[:, 1] > 1
    signs = scores[0].grad.sign()  # of the first iteration: all six rows
    # Gradient descent lowers a score with a positive gradient: the hard rows go on.
    assert (signs[:3][running[:3]] == -1).all()
    assert (signs[3:][running[3:]] == 1).all()
    assert running[:3].any()
    assert running[3:].any()
