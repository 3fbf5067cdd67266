"""The inference form computes what the network computes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from iterbackbone.inference import kernels, network_form
from tests.support.forms import X, assert_same, both, near_threshold, read_late
from tests.support.networks import tiny_layer, tiny_net, varied

FEW = settings(max_examples=25)  # each builds a network


@FEW
@given(
    rows=st.integers(0, 5),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    options=st.fixed_dictionaries(
        {},
        optional={
            'depthwise': st.booleans(),
            'blocks_per_stage': st.just(2),
            'expansion': st.integers(1, 4),
            'stem': st.sampled_from(['imagenet', 'cifar']),
            'dilations': st.just((1, 1, 2, 1)),
            'strides': st.just((1, 2, 2, 1)),
            'halting': st.just({'layer_norm': True}),
        },
    ),
    caps=st.none() | st.integers(1, 5),
    strip=st.sampled_from([1, 300, 4000, 1 << 20]),
)
def test_features_iterations_and_scores_agree(rows, height, width, options, caps, strip):
    before, kernels.STRIP = kernels.STRIP, strip
    try:
        net = varied(tiny_net(**options).eval(), torch.randn(8, 3, 32, 32))
        net.set_budget(max_iterations=caps)
        (plain, trace), (form, form_trace) = both(net, torch.randn(rows, 3, height, width))
    finally:
        kernels.STRIP = before
    sure = ~near_threshold(trace)
    assert torch.equal(form_trace.iterations[sure], trace.iterations[sure])
    assert torch.equal(form_trace.executed, form_trace.iterations)
    torch.testing.assert_close(form_trace.ponder_cost[sure], trace.ponder_cost[sure], atol=1e-4, rtol=0)
    for found, expected in zip(form_trace.scores, trace.scores, strict=True):
        torch.testing.assert_close(found[sure], expected[sure], atol=1e-4, rtol=0, equal_nan=True)
    assert form_trace.limits == trace.limits
    assert_same(plain, form, sure)


def test_a_thousand_images_halt_alike():
    x = torch.randn(1000, 3, 16, 16)
    (plain, trace), (form, form_trace) = both(varied(tiny_net().eval(), x[:50]), x)
    assert len(trace.iterations.unique(dim=0)) > 10
    same = (trace.iterations == form_trace.iterations).all(dim=1)
    assert same.float().mean() >= 0.999
    assert same[~near_threshold(trace)].all()
    assert_same(plain, form, same)


@FEW
@given(rows=st.integers(0, 9), caps=st.none() | st.integers(1, 5))
def test_reading_ahead_changes_no_result(rows, caps):
    """What runs on GPUs, here without one."""
    net = varied(tiny_net().eval(), torch.randn(16, 3, 16, 16))
    net.set_budget(max_iterations=caps)
    x = torch.randn(rows, 3, 16, 16)
    _, (form, trace) = both(net, x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_form, 'run_form', read_late)
        ahead, late = net(x), net.trace
    assert_same(form, ahead)
    assert torch.equal(late.iterations, trace.iterations)
    torch.testing.assert_close(late.ponder_cost, trace.ponder_cost)
    assert all(
        torch.equal(a.isnan(), b.isnan()) for a, b in zip(late.scores, trace.scores, strict=True)
    )
    limits = torch.tensor(late.limits)
    assert (late.executed >= late.iterations).all()
    assert (late.executed <= limits).all()
    if rows:
        longest = trace.iterations.amax(dim=0)
        assert torch.equal(late.executed.amax(dim=0), torch.minimum(longest + 1, limits))


def test_the_roi_layer_has_a_form_too():
    x = torch.randn(9, 32, 14, 14)
    (plain, trace), (form, form_trace) = both(varied(tiny_layer().eval(), x), x)
    assert len(trace.iterations.unique()) > 1
    assert torch.equal(trace.iterations, form_trace.iterations)
    assert_same(plain, form)


def test_bad_calls_are_refused(net):
    with pytest.raises(RuntimeError, match=r'needs evaluation mode: call eval\(\) first'):
        net.train().optimize_for_inference()
    with pytest.raises(TypeError, match='enabled'):
        net.eval().optimize_for_inference('yes')
    with pytest.raises(ValueError, match=r"needs execution\['eval'\] == 'active', got 'masked'"):
        tiny_net(execution='masked').eval().optimize_for_inference()
    group = tiny_net(norm_layer=lambda channels: nn.GroupNorm(2, channels)).eval()
    expected = group(X)
    with pytest.raises(ValueError, match='need BatchNorms with running statistics, got GroupNorm'):
        group.optimize_for_inference()
    assert all(torch.equal(a, b) for a, b in zip(group(X), expected, strict=True))
