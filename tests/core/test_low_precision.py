"""Halting stays in float32 where the features are in bfloat16."""

from __future__ import annotations

import pytest
import torch

from .networks import images, loss_of, tiny_net, varied

executions = pytest.mark.parametrize('execution', ['active', 'masked'])


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
