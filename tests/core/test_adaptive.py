"""What backbone and RoI layer share: parity of executions, held halting, untrained iterations."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch import nn

from .networks import (
    MAX_ITERATIONS,
    blocks,
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
def test_bfloat16_disagrees_on_few_iterations(execution, record_property):
    x = images(64)
    net = varied(tiny_net(execution=execution), x).eval()
    net.record_scores()
    with torch.no_grad():
        net(x)
        expected = net.iterations()
        with torch.autocast('cpu', dtype=torch.bfloat16):
            features = net(x)
    assert features[0].dtype == torch.bfloat16
    assert net.trace.ponder_cost.dtype == torch.float32
    assert all(scores.dtype == torch.float32 for scores in net.trace.scores)
    score = net.trace.scores[2][:, 0]
    assert not torch.equal(score, score.bfloat16().float())
    rate = (net.iterations() != expected).float().mean().item()
    record_property('bfloat16_disagreement', rate)
    assert rate < 0.1


@executions
def test_training_in_bfloat16_halts_in_float32(execution):
    x = images(4)
    net = varied(tiny_net(execution=execution), x).train()
    net.record_scores()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        features = net(x)
        loss = loss_of(net, features)
    assert features[-1].dtype == torch.bfloat16
    halting = [net.trace.ponder_cost, *net.trace.scores]
    assert {tensor.dtype for tensor in halting} == {torch.float32}
    sums = net.trace.ponder_cost - net.trace.iterations
    assert not torch.equal(sums, sums.bfloat16().float())
    loss.backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad.dtype == torch.float32, name
        assert parameter.grad.isfinite().all(), name


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


def test_a_copy_made_before_the_loss_does_not_complain():
    net = tiny_net().train()
    net(images(2))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        copy.deepcopy(net)(images(2))
