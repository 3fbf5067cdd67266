"""Halting stays in float32 where the features are in bfloat16 or float16."""

from __future__ import annotations

import pytest
import torch

from tests.support.networks import images, loss_of, tiny_net, varied

NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
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


@executions
@pytest.mark.parametrize('device', ['cpu', pytest.param('cuda', marks=NEEDS_GPU)])
def test_a_scaled_loss_trains_in_float16(device, execution):
    x = images(4)
    net = varied(tiny_net(execution=execution), x).train().to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler(device, init_scale=1024.0)
    before = {name: parameter.clone() for name, parameter in net.named_parameters()}
    with torch.autocast(device, dtype=torch.float16):
        features = net(x.to(device))
        loss = loss_of(net, features)
    assert features[-1].dtype == torch.float16
    assert net.trace.ponder_cost.dtype == torch.float32
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 1024.0  # of infinite gradients it would step over the step
    for name, parameter in net.named_parameters():
        assert parameter.grad.dtype == torch.float32, name
        moved = parameter.grad.count_nonzero() > 0
        assert parameter.equal(before[name]) != moved, name
