"""Iterations shared out by difficulty: prices that change hands and sum to zero."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from core.networks import varied
from iterbackbone import IterativeResNet
from iterbackbone.core.difficulty import PricedCost, due_share, price_of


@pytest.mark.parametrize(
    ('sizes', 'dues'),
    [
        ([3.0, 1.0, 2.0], [2, 0, 1]),
        ([0.1, 0.2], [0, 2]),
        ([5.0, 4.0, 3.0, 2.0, 1.0], [2, 1.5, 1, 0.5, 0]),
        ([7.0], [1]),
        ([], []),
    ],
)
def test_dues(sizes, dues):
    torch.testing.assert_close(due_share(tensor(sizes)), tensor(dues, dtype=torch.float32))


def test_prices():
    # Means of N are 3 and 2. Rows due 0, 1, 2 times the mean, at L of 6 and 4.
    iterations = tensor([[1, 2], [2, 2], [6, 2]])
    expected = [[1 / 6, 2 / 4], [(2 - 3) / 6, 0], [0, (2 - 4) / 4]]
    prices = price_of(iterations, tensor([6, 4]), tensor([0.0, 1.0, 2.0]))
    torch.testing.assert_close(prices, tensor(expected))


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 12)), min_size=1, max_size=40))
def test_prices_sum_to_zero_and_vanish_where_rows_have_their_due(rows):
    due = due_share(tensor([size for size, _ in rows]))
    assert due.mean().item() == pytest.approx(1, abs=1e-5)
    counts = tensor([[n] for _, n in rows])
    prices = price_of(counts, tensor([12]), due)
    assert prices.sum().item() == pytest.approx(0, abs=1e-4)
    settled = price_of(4 * due.unsqueeze(1), tensor([12]), due)
    torch.testing.assert_close(settled, torch.zeros_like(settled), rtol=0, atol=1e-5)


def test_the_costs_gradient_is_priced_and_the_features_is_not():
    cost = torch.ones(3, 1, requires_grad=True)
    features = [torch.zeros(3, 1, 1, 2, requires_grad=True) for _ in range(2)]
    iterations = tensor([[2], [4], [3]])  # the mean is 3
    same, *outputs = PricedCost.apply(cost, iterations, tensor([4]), *features)
    assert torch.equal(same, cost)
    # Norms of the rows' gradients over both maps: 5, 3 and 13; so the dues are 3, 0 and 6.
    first = tensor([[3.0, 0.0], [3.0, 0.0], [0.0, 5.0]]).view(3, 1, 1, 2)
    second = tensor([[0.0, 4.0], [0.0, 0.0], [12.0, 0.0]]).view(3, 1, 1, 2)
    torch.autograd.backward([same, *outputs], [torch.full((3, 1), 0.5), first, second])
    assert cost.grad.flatten().tolist() == [-0.125, 0.5, -0.375]
    assert torch.equal(features[0].grad, first)
    assert torch.equal(features[1].grad, second)


def test_without_a_task_gradient_the_cost_stays_as_it_is():
    cost = torch.ones(2, 1, requires_grad=True)
    features = torch.zeros(2, 1, 1, 1, requires_grad=True)
    priced, _ = PricedCost.apply(cost, tensor([[1], [2]]), tensor([2]), features)
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

    unit = net.stages[1].blocks[0].halting  # nothing comes after it
    unit.register_forward_hook(keep)
    features = net(images)[-1]
    difficulty = torch.arange(6.0)  # row 0 is easy, row 5 is hard
    task = (features.flatten(1).sum(dim=1) * difficulty).sum()
    (task * 1e-9 + net.trace.priced_cost.sum()).backward()
    counts = net.trace.iterations[:, 1]
    due = difficulty / 2.5 * counts.float().mean()
    running = counts > 1  # the cost of a row that stops at once has no gradient
    # Gradient descent lowers a score with a positive gradient, and the row goes on.
    signs = scores[0].grad.sign()  # of the first iteration: all six rows
    assert torch.equal(signs[running], (due - counts).sign()[running])
    assert {-1.0, 1.0} <= set(signs.tolist())
