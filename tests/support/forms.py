"""Runs of a network as built and in the inference form, and what tells them apart."""

from __future__ import annotations

import torch

from iterbackbone.inference.loop import run_form

X = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
NEAR = 1e-5  # of the threshold, where rounding may decide


def read_late(run, x, settings, late):
    """In place of run_form: what runs on GPUs, here without one."""
    assert not late  # no GPU here
    return run_form(run, x, settings, late=True)


def both(net, x):
    """Features, trace and scores of the plain and of the inference form."""
    net.record_scores()
    found = []
    with torch.inference_mode():
        for enabled in (False, True):
            net.optimize_for_inference(enabled)
            features = net(x.clone())
            found.append((features if isinstance(features, tuple) else (features,), net.trace))
    return found


def near_threshold(trace, threshold=0.99):
    """(B,) whether any cumulative score comes close to the threshold."""
    near = torch.zeros(len(trace.iterations), dtype=torch.bool)
    for scores in trace.scores:
        near |= ((scores.cumsum(dim=1) - threshold).abs() < NEAR).any(dim=1)
    return near


def assert_same(plain, form, rows=None):
    """Both have the same features, of all rows or of some."""
    for expected, found in zip(plain, form, strict=True):
        if rows is not None:
            expected, found = expected[rows], found[rows]
        assert found.shape == expected.shape
        if expected.numel():
            assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()
