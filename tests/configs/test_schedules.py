"""Learning rates of every step, as mmengine builds them from the configs."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.runner import Runner
from torch import nn

from iterbackbone.__main__ import config_names
from tests.support.openmmlab import load

STEPS = 30  # of an epoch
LIGHT = [name for name in config_names() if any(x in name for x in ('anytime', 'tiny', 'shapes'))]
MODERN = [name for name in config_names() if 'resnet152' in name and 'modern' in name]


def rates(cfg, folder):
    """Of each step of a training with ``STEPS`` in an epoch."""
    runner = Runner(
        model=nn.Linear(1, 1),
        work_dir=str(folder),
        train_dataloader=dict(batch_size=1, dataset=range(STEPS), sampler=dict(type='DefaultSampler')),
        train_cfg=cfg.train_cfg,
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=cfg.optim_wrapper.optimizer.lr)),
        param_scheduler=cfg.param_scheduler,
        log_level='WARNING',
    )
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    schedulers = runner.build_param_scheduler(runner.param_schedulers)
    runner.optim_wrapper.step()
    found = []
    for _ in range(cfg.train_cfg.max_epochs * STEPS):
        found += runner.optim_wrapper.get_lr()['lr']
        for each in schedulers:
            each.step()
    return np.array(found)


@pytest.mark.parametrize('epochs', [None, 7])
@pytest.mark.parametrize('name', LIGHT + MODERN)
def test_a_cosine_ends_with_the_training(name, epochs, tmp_path):
    """Another number of epochs, as of ``--cfg-options train_cfg.max_epochs``, included."""
    cfg = load(name)
    cfg.train_cfg.max_epochs = epochs or cfg.train_cfg.max_epochs
    found, highest = rates(cfg, tmp_path), cfg.optim_wrapper.optimizer.lr
    warm_up, cosine = cfg.param_scheduler
    warm = warm_up.end * (STEPS if warm_up.get('by_epoch', True) else 1)
    start = cosine.get('begin', 0) * STEPS
    turn = np.arange(warm - start, len(found) - start) / (len(found) - start)
    assert found[warm:] == pytest.approx(highest * (1 + np.cos(np.pi * turn)) / 2)
    assert found[0] == pytest.approx(highest * warm_up.start_factor)
    assert (np.diff(found[: warm // 2]) > 0).all()
