"""Asking a network in training what evaluation would do."""

from __future__ import annotations

import warnings

import pytest
import torch

from iterbackbone import IterativeResNet
from iterbackbone.core.trace import trace_in_evaluation
from tests.support.networks import varied

IMAGES = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def module():
    torch.manual_seed(0)
    network = IterativeResNet(
        stem='cifar', base_channels=4, expansion=1, num_stages=2, max_iterations=(3, 6)
    )
    return varied(network, IMAGES).train()


def test_the_trace_is_that_of_evaluation(module):
    module(IMAGES)
    found = trace_in_evaluation(module, IMAGES)
    module.eval()(IMAGES)
    assert torch.equal(found.iterations, module.trace.iterations)
    assert torch.equal(found.ponder_cost, module.trace.ponder_cost)
    assert found.limits == module.trace.limits


def test_the_training_goes_on_as_if_nothing_had_been_asked(module):
    module.stages[0].blocks[0].norm1[0].eval()  # a mode that train() would not restore
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        module(IMAGES)
        trace, state = module.trace, {k: v.clone() for k, v in module.state_dict().items()}
        modes = [part.training for part in module.modules()]
        trace_in_evaluation(module, IMAGES)
        assert module.trace is trace
        assert module.trace.ponder_cost.requires_grad
        assert [part.training for part in module.modules()] == modes
        for name, value in module.state_dict().items():
            assert torch.equal(value, state[name]), name


def test_hooks_do_not_hear_of_it(module):
    heard = []
    module.register_forward_hook(lambda *_: heard.append(1))
    trace_in_evaluation(module, IMAGES)
    assert heard == []


def test_a_failing_pass_leaves_the_mode(module):
    with pytest.raises(RuntimeError):
        trace_in_evaluation(module, torch.zeros(1, 5, 16, 16))
    assert all(part.training for part in module.modules())
