"""The trace of the last call: what it holds and when it goes."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch

from tests.support.networks import images, loss_of, tiny_layer, tiny_net, varied


def saved_and_loaded(net):
    buffer = io.BytesIO()
    torch.save(net, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


COPIES = {
    'deepcopy': copy.deepcopy,
    'pickle': lambda net: pickle.loads(pickle.dumps(net)),
    'torch.save': saved_and_loaded,
}


@pytest.mark.parametrize('make', [tiny_net, tiny_layer])
def test_no_trace_before_the_first_call(make):
    net = make()
    for read in (lambda: net.trace, net.iterations, net.ponder_cost):
        with pytest.raises(RuntimeError, match=f'{type(net).__name__} has no trace: call it first'):
            read()


@pytest.mark.parametrize('way', COPIES)
@pytest.mark.parametrize('training', [False, True], ids=['eval', 'train'])
def test_copies_have_the_weights_but_no_trace(way, training):
    x = images(3)
    net = varied(tiny_net(norm_eval=True), x).train(training)
    features = net(x)
    assert net.trace.ponder_cost.requires_grad
    other = COPIES[way](net)
    with pytest.raises(RuntimeError, match='has no trace'):
        _ = other.trace
    assert list(other.state_dict()) == list(net.state_dict())
    copied = other.train(training)(x)
    assert all(torch.equal(a, b) for a, b in zip(features, copied, strict=True))
    assert net.iterations().tolist() == other.iterations().tolist()
    loss_of(net, features).backward()  # the original's graph is as it was
    assert net.stages[0].blocks[0].conv1.weight.grad.count_nonzero() > 0
    assert other.stages[0].blocks[0].conv1.weight.grad is None


def test_copies_share_no_weights():
    net = tiny_net()
    other = copy.deepcopy(net)
    theirs = {p.data_ptr() for p in other.parameters()}
    assert not theirs & {p.data_ptr() for p in net.parameters()}
    assert len(theirs) == len(list(net.parameters()))


def test_drop_trace():
    net = tiny_net().eval()
    net(images(1))
    net.drop_trace()
    with pytest.raises(RuntimeError, match='has no trace'):
        net.ponder_cost()


def test_threads_have_traces_of_their_own():
    net, both_called = tiny_net().eval(), Barrier(2)

    def rows(count):
        net(images(count))
        both_called.wait(timeout=60)
        return len(net.iterations())

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(rows, [2, 5])) == [2, 5]
    with pytest.raises(RuntimeError, match='has no trace: call it first, in the same thread'):
        net.iterations()


def test_fields_in_training():
    net = tiny_net(blocks_per_stage=2).train()
    net(images(3, 32, 48))
    trace = net.trace
    assert trace.iterations.dtype == torch.int64
    assert trace.iterations.tolist() == [[2, 2, 3, 3, 5, 5, 2, 2]] * 3
    assert trace.executed.tolist() == trace.iterations.tolist()
    assert trace.ponder_cost.dtype == torch.float32
    assert trace.ponder_cost.shape == (3, 8)
    assert trace.ponder_cost.requires_grad
    assert trace.limits == net.max_iterations == (2, 2, 3, 3, 5, 5, 2, 2)
    assert trace.input_size == (32, 48)
    assert trace.scores is None
    torch.testing.assert_close(net.ponder_cost(), trace.ponder_cost.sum(1))


def test_each_call_replaces_the_trace():
    net = tiny_net().eval()
    net(images(3))
    first = net.trace
    net(images(2, 16, 16))
    assert len(first.iterations) == 3
    assert len(net.trace.iterations) == 2
    assert net.trace.input_size == (16, 16)


@pytest.mark.parametrize('execution', ['active', 'masked'])
@pytest.mark.parametrize('training', [False, True], ids=['eval', 'train'])
def test_recorded_scores_add_up(execution, training):
    x = images(6)
    net = varied(tiny_net(execution=execution, norm_eval=True), x).train(training)
    net.record_scores()
    net(x)
    trace = net.trace
    assert [tuple(s.shape) for s in trace.scores] == [(6, n) for n in net.max_iterations]
    for k, (scores, limit) in enumerate(zip(trace.scores, trace.limits, strict=True)):
        assert scores.dtype == torch.float32
        assert not scores.requires_grad
        for b, row in enumerate(scores):
            n = trace.iterations[b, k].item()
            cost = n + 1 - row[: n - 1].sum().item()
            assert torch.isfinite(row[:n]).all()
            assert row[n:].isnan().all()
            assert trace.ponder_cost[b, k].item() == pytest.approx(cost, abs=1e-5)
            assert row[: n - 1].sum() < 0.99
            assert row[:n].sum() > 0.99 - 1e-6
            assert n < limit or row[n - 1] == 1
    net.record_scores(False)
    net(x)
    assert net.trace.scores is None


def test_both_executions_record_the_same_scores():
    x = images(8)
    net = varied(tiny_net(), x).eval()
    net.record_scores()
    scores = []
    for execution in ('active', 'masked'):
        net.execution['eval'] = execution
        net(x)
        scores.append(net.trace.scores)
    for active, masked in zip(*scores, strict=True):
        torch.testing.assert_close(active, masked, rtol=1e-5, atol=1e-6, equal_nan=True)
        assert active.isnan().any() or active.shape[1] == 2


def test_training_without_the_ponder_cost_warns_once():
    net, x = tiny_net().train(), images(2)
    net(x)
    with pytest.warns(UserWarning, match='IterativeResNet is trained without its ponder cost'):
        net(x)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        net(x)


@pytest.mark.parametrize('use', ['cost', 'drop', 'no_grad', 'eval', 'held'])
def test_no_warning_where_the_cost_is_used_or_nothing_is_trained(use):
    net, x = tiny_net().train(use != 'eval'), images(2)
    net.hold_halting(use == 'held')
    with warnings.catch_warnings(), torch.set_grad_enabled(use != 'no_grad'):
        warnings.simplefilter('error')
        for _ in range(3):
            net(x)
            if use == 'cost':
                net.ponder_cost()
            if use == 'drop':
                net.drop_trace()
