"""A batch split over ranks or over accumulated steps trains as the whole batch does.

BatchNorm is frozen: its batch statistics are those of a part.
"""

from __future__ import annotations

import os

import pytest
import torch

from iterbackbone.mm import PonderCostHook
from tests.support.gloo_ranks import RANKS, spawn
from tests.support.networks import varied
from tests.support.tiny_training import TinyClassifier, TinyImages, train_tiny

executions = pytest.mark.parametrize('execution', ['active', 'masked'])


def step_gradients(tmp_path, execution, max_iters=1, **options):
    """Of the classification loss and half the ponder cost; ``options`` go to the training."""
    torch.manual_seed(0)
    model = TinyClassifier(execution=execution, norm_eval=True)
    varied(model.backbone, TinyImages(8).images)
    steps, _ = train_tiny(tmp_path, PonderCostHook(weight=0.5), max_iters, model, **options)
    return steps[-1]['grads']


def assert_equal_gradients(actual, expected):
    assert actual.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(actual[name], gradient, rtol=0, atol=1e-5, msg=name)


def step_of_rank(rank, tmp_path, execution):
    os.environ['LOCAL_RANK'] = str(rank)  # mmengine reads it, though no GPU is asked for
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    distributed = dict(launcher='pytorch', cfg=dict(model_wrapper_cfg=wrapper))
    grads = step_gradients(tmp_path / 'ranks', execution, batch_size=4 // RANKS, **distributed)
    torch.save(grads, tmp_path / f'grads_{rank}.pth')


@pytest.mark.slow
@executions
def test_ranks(tmp_path, execution):
    spawn(step_of_rank, tmp_path, tmp_path, execution)
    whole = step_gradients(tmp_path / 'whole', execution, batch_size=4)
    for rank in range(RANKS):
        assert_equal_gradients(torch.load(tmp_path / f'grads_{rank}.pth'), whole)
    assert whole['backbone.stages.1.blocks.0.halting.fc2.bias'].abs() > 1e-3


@executions
def test_accumulated_steps(tmp_path, execution):
    halves = step_gradients(tmp_path / 'halves', execution, max_iters=2, batch_size=2, accumulate=2)
    assert_equal_gradients(halves, step_gradients(tmp_path / 'whole', execution, batch_size=4))
