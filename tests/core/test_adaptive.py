"""What backbone and RoI layer share: parity of executions, held halting."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch

from tests.support.networks import (
    MAX_ITERATIONS,
    images,
    loss_of,
    relative_error,
    stop_at_once,
    tiny_layer,
    tiny_net,
    varied,
)

executions = pytest.mark.parametrize('execution', ['active', 'masked'])


@pytest.fixture
def net_and_images():
    x = images(12)
    return varied(tiny_net(), x).eval(), x


def evaluate(net, x, execution):
    net.execution['eval'] = execution
    with torch.no_grad():
        return net(x), net.iterations(), net.trace.ponder_cost


def assert_same(result, expected):
    for a, b in zip(result[0], expected[0], strict=True):
        assert relative_error(a, b) < 1e-5
    assert result[1].tolist() == expected[1].tolist()
    torch.testing.assert_close(result[2], expected[2], rtol=0, atol=1e-5)


def test_executions_agree_in_evaluation(net_and_images):
    net, x = net_and_images
    active = evaluate(net, x, 'active')
    assert_same(evaluate(net, x, 'masked'), active)
    assert all(len(column.unique()) > 1 for column in active[1].T)


@executions
@pytest.mark.parametrize(
    'rows',
    [[0], [3], [11], [3, 0], [7, 3], [1, 2, 3, 4], [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0], [5, 5, 5]],
)
def test_an_image_does_not_depend_on_the_others(net_and_images, execution, rows):
    net, x = net_and_images
    features, iterations, cost = evaluate(net, x, execution)
    expected = [f[rows] for f in features], iterations[rows], cost[rows]
    assert_same(evaluate(net, x[rows], execution), expected)


def test_executions_agree_on_regions_of_interest():
    x = images(10, 14, 14, channels=32)
    layer = varied(tiny_layer(), x).eval()
    results = []
    for execution in ('active', 'masked'):
        layer.execution['eval'] = execution
        results.append(((layer(x),), layer.iterations(), layer.trace.ponder_cost))
    assert_same(*results)
    assert len(results[0][1].unique()) > 1


def test_execution_may_differ_between_training_and_evaluation():
    x = images(8)
    net = varied(tiny_net(execution={'train': 'masked', 'eval': 'active'}, norm_eval=True), x)
    net.train()(x)
    assert (net.trace.executed == net.iterations().amax(0)).all()
    assert (net.trace.executed > net.iterations()).any()
    net.eval()(x)
    assert net.trace.executed.tolist() == net.iterations().tolist()


@executions
def test_held_halting_runs_at_full_depth_without_gradient(execution):
    net = stop_at_once(tiny_net(execution=execution)).train()
    net.hold_halting()
    features = net(images(3))
    assert net.iterations().tolist() == [list(MAX_ITERATIONS)] * 3
    loss_of(net, features).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert ('.halting.' in name) == (parameter.grad.count_nonzero() == 0), name
    net.hold_halting(False)
    net(images(3))
    assert (net.iterations() == 1).all()


def test_held_scores_give_the_same_weights_as_a_fresh_network():
    x = images(4)
    net = tiny_net().eval()
    fresh, cost = net(x), net.ponder_cost()
    stop_at_once(net).hold_halting()
    for a, b in zip(net(x), fresh, strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(net.ponder_cost(), cost)


def test_a_copy_made_before_the_loss_does_not_complain():
    net = tiny_net().train()
    net(images(2))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        copy.deepcopy(net)(images(2))
