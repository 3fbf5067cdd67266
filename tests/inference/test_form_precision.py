"""The inference form in half precision."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from iterbackbone.core.halting import never_halt
from iterbackbone.inference import network_form
from tests.support.forms import X, both, read_late
from tests.support.networks import blocks, stop_at_once


@pytest.mark.parametrize('half', [True, False], ids=['half', 'autocast'])
@pytest.mark.parametrize('gamma', [1e-6, -1e-9, 0.0])
def test_a_gamma_near_zero_in_float16(net, gamma, half):
    with torch.no_grad():
        for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
            norm.weight[0], norm.bias[0] = gamma, 0.5
    wanted = net(X)
    x = X.half() if half else X
    with torch.autocast('cpu', torch.float16, enabled=not half):
        (plain, trace), (form, form_trace) = both(net.half() if half else net, x)
    assert torch.equal(form_trace.iterations, trace.iterations)
    assert len(trace.iterations.unique()) > 1
    for found, same, expected in zip(form, plain, wanted, strict=True):
        assert found.dtype == torch.float16
        assert (found - same).abs().max() <= 0.01 * same.abs().max()
        assert (found - expected).abs().max() <= 0.02 * expected.abs().max()


@pytest.mark.parametrize('where', ['norm1', 'norm3'])
def test_a_surplus_iteration_that_overflows_leaves_no_trace(net, where, monkeypatch):
    """In float16, in a norm of the iteration that is queued before the last one is known to be."""
    net = stop_at_once(net).half()
    with torch.no_grad():
        for block in blocks(net):
            getattr(block, where)[1].weight.fill_(6e4)
            getattr(block, where)[1].bias.fill_(6e4)
    expected, x = net(X.half()), X.half()
    monkeypatch.setattr(network_form, 'run_form', read_late)
    found = net.optimize_for_inference()(x)
    assert net.trace.iterations.unique().tolist() == [1]
    assert net.trace.executed.unique().tolist() == [2]
    for one, other in zip(found, expected, strict=True):
        assert other.isfinite().all()
        assert (one - other).abs().max() <= 0.01 * other.abs().max()


def test_bfloat16_under_autocast(net):
    for block in blocks(net):  # else a score near the threshold decides
        never_halt(block.halting)
    with torch.autocast('cpu', torch.bfloat16):
        (plain, _), (form, _) = both(net.eval(), X)
    assert form[0].dtype == torch.bfloat16
    for expected, found in zip(plain[:2], form[:2], strict=True):
        assert (found - expected).abs().float().mean() <= 0.02 * expected.abs().float().mean()


def test_autocast_leaves_float64_as_it_is(net):
    with torch.autocast('cpu', torch.bfloat16):
        (plain, trace), (form, form_trace) = both(net.double(), X.double())
    assert torch.equal(form_trace.iterations, trace.iterations)
    for found, same in zip(form, plain, strict=True):
        assert found.dtype == torch.float64
        torch.testing.assert_close(found, same, rtol=1e-4, atol=1e-4)


def test_scores_are_float32_whatever_the_default_type(net):
    torch.set_default_dtype(torch.float64)
    try:
        (_, plain), (_, form) = both(net.double(), X.double())
    finally:
        torch.set_default_dtype(torch.float32)
    for expected, found in zip(plain.scores, form.scores, strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4, equal_nan=True)
