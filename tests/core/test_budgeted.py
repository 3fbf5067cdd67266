"""The runtime budget: caps and halting thresholds in evaluation."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from iterbackbone.core.budgeted import Budget
from iterbackbone.core.halting import full_depth_bias
from tests.support.networks import MAX_ITERATIONS, blocks, images, tiny_layer, tiny_net


def net_with_score(score: float, **options):
    """Every score is ``score``."""
    net = tiny_net(max_iterations=(2, 3, 6, 2), **options).eval()
    for block in blocks(net):
        nn.init.constant_(block.halting.fc2.bias, float(torch.tensor(score).logit()))
    return net


def evaluate(net, x=None):
    net(images(2) if x is None else x)
    rows = net.iterations().tolist()
    costs = net.trace.ponder_cost
    assert rows[0] == rows[1]
    assert torch.equal(costs[0], costs[1])
    return rows[0], [pytest.approx(c, abs=1e-5) for c in costs[0].tolist()]


def test_one_cap_for_all_stages():
    net = tiny_net().eval()
    net.set_budget(max_iterations=3)
    iterations, cost = evaluate(net)
    scores = [1 / (1 + torch.tensor(-full_depth_bias(n)).exp().item()) for n in MAX_ITERATIONS]
    expected = [min(n, 3) for n in MAX_ITERATIONS]
    assert iterations == expected == [2, 3, 3, 2]
    assert cost == [n + 1 - (n - 1) * h for n, h in zip(expected, scores, strict=True)]
    assert net.trace.limits == (2, 3, 3, 2)
    assert net.max_iterations == MAX_ITERATIONS


def test_a_cap_for_each_stage():
    net = net_with_score(0.2, blocks_per_stage=2)
    net.set_budget(max_iterations=[1, 9, 4, 1])
    iterations, cost = evaluate(net)
    assert iterations == [1, 1, 3, 3, 4, 4, 1, 1]
    assert cost == [2.0, 2.0, 3.6, 3.6, 4.4, 4.4, 2.0, 2.0]
    assert net.trace.limits == (1, 1, 3, 3, 4, 4, 1, 1)


def test_the_capped_run_is_that_of_a_shorter_network():
    x = images(2)
    net = net_with_score(0.2)
    net.set_budget(max_iterations=2)
    shorter = tiny_net(max_iterations=(2, 2, 2, 2)).eval()
    missing, unexpected = shorter.load_state_dict(net.state_dict(), strict=False)
    assert missing == []
    assert all('.norm' in key for key in unexpected)
    for a, b in zip(net(x), shorter(x), strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(net.ponder_cost(), shorter.ponder_cost())


def test_threshold_replaces_one_minus_epsilon():
    net = net_with_score(0.2)
    assert evaluate(net) == ([2, 3, 5, 2], [2.8, 3.6, 5.2, 2.8])
    net.set_budget(halting_threshold=0.5)  # 0.2, 0.4, 0.6: the third iteration
    iterations, cost = evaluate(net)
    assert (iterations, cost) == ([2, 3, 3, 2], [2.8, 3.6, 3.6, 2.8])
    remainders = net.trace.ponder_cost - net.iterations()
    assert (remainders > 1 - 0.5).all()
    net.set_budget(halting_threshold=0.1)
    assert evaluate(net) == ([1, 1, 1, 1], [2.0, 2.0, 2.0, 2.0])
    net.set_budget(max_iterations=2, halting_threshold=0.5)
    assert evaluate(net) == ([2, 2, 2, 2], [2.8, 2.8, 2.8, 2.8])


def test_highest_threshold_changes_nothing():
    net, x = net_with_score(0.2), images(2)
    before = evaluate(net, x)
    net.set_budget(halting_threshold=1 - net.epsilon)
    assert evaluate(net, x) == before


def test_none_restores():
    net = net_with_score(0.2)
    net.set_budget(max_iterations=1, halting_threshold=0.1)
    assert evaluate(net)[0] == [1, 1, 1, 1]
    net.set_budget(max_iterations=3)
    assert evaluate(net)[0] == [2, 3, 3, 2]  # each call replaces the whole budget
    net.set_budget()
    assert evaluate(net)[0] == [2, 3, 5, 2]


def test_training_ignores_the_budget():
    budget = {'max_iterations': 1, 'halting_threshold': 0.1}
    net = net_with_score(0.2, budget=budget, norm_eval=True).train()
    assert evaluate(net)[0] == [2, 3, 5, 2]
    assert net.trace.limits == (2, 3, 6, 2)
    assert evaluate(net.eval())[0] == [1, 1, 1, 1]


def test_constructor_takes_a_budget():
    x = images(2)
    assert evaluate(net_with_score(0.2, budget={'max_iterations': (1, 2, 3, 1)}), x)[0] == [1, 2, 3, 1]
    assert evaluate(net_with_score(0.2, budget={'halting_threshold': 0.3}), x)[0] == [2, 2, 2, 2]
    assert evaluate(net_with_score(0.2, budget=None), x)[0] == [2, 3, 5, 2]
    layer = tiny_layer(budget={'max_iterations': 2}).eval()
    layer(images(3, channels=32))
    assert layer.iterations().tolist() == [[2]] * 3


def test_refused_budget_leaves_the_old_one():
    net = net_with_score(0.2, budget={'max_iterations': 2})
    with pytest.raises(ValueError, match='halting_threshold'):
        net.set_budget(max_iterations=1, halting_threshold=1.0)
    assert evaluate(net)[0] == [2, 2, 2, 2]


def test_budget_is_not_in_the_state_dict():
    net = tiny_net()
    keys = list(net.state_dict())
    net.set_budget(max_iterations=1, halting_threshold=0.5)
    assert list(net.state_dict()) == keys == list(tiny_net(budget={'max_iterations': 1}).state_dict())


@pytest.mark.parametrize('share', [0, -0.1, 1.01])
def test_a_share_that_no_fit_could_meet(share):
    """Said before whether the network is fitted."""
    with pytest.raises(ValueError, match=r'budget\.share must be above 0 and at most 1, got'):
        tiny_net().set_budget(share=share)


@pytest.mark.parametrize(
    ('arguments', 'budget'),
    [
        ((), Budget()),
        ((3, 0.5), Budget((3, 3, 3, 3), 0.5)),
        (([3, 1, 2, 2],), Budget((3, 1, 2, 2))),
    ],
)
def test_what_a_budget_becomes(arguments, budget):
    net = tiny_net()
    net.set_budget(*arguments)
    assert net.budget == budget
