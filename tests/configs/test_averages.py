"""Averaged weights, which are what an anytime config evaluates and saves."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.registry import HOOKS, MODELS
from torch import nn

from iterbackbone.__main__ import config_names, config_root

ANYTIME = [name for name in config_names() if 'anytime' in name]


@pytest.mark.parametrize('name', ANYTIME)
@pytest.mark.parametrize('steps', [50, 650])
def test_the_average_forgets_the_start(name, steps):
    """At a fixed momentum of 0.002 a fourth of the start is left after 650 steps."""
    hooks = Config.fromfile(config_root() / name).custom_hooks
    (hook,) = (HOOKS.build(each) for each in hooks if each.type == 'EMAHook')
    assert isinstance(hook, EMAHook)
    model = nn.Linear(1, 1)
    nn.init.ones_(model.weight)
    average = MODELS.build(hook.ema_cfg, default_args=dict(model=model))
    average.update_parameters(model)
    nn.init.zeros_(model.weight)
    for _ in range(steps):
        average.update_parameters(model)
    assert float(average.module.weight) < 1e-3
    torch.testing.assert_close(model.weight, torch.zeros(1, 1))
