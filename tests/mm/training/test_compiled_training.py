"""Hooks in a training that mmengine compiles (``compile=`` of a config)."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from torch._dynamo.utils import counters

from iterbackbone.mm import AnytimeHook, PonderCostHook
from tests.support.tiny_training import TinyClassifier, train_tiny

HOOKS = {'anytime': AnytimeHook, 'ponder': lambda: PonderCostHook(target=0.6)}


def losses(folder, name, **options):
    torch.manual_seed(0)
    folder.mkdir()
    found, _ = train_tiny(
        folder,
        HOOKS[name](),
        max_iters=2,
        model=TinyClassifier(max_iterations=(2, 2)),
        randomness=dict(seed=1),
        **options,
    )
    clocks = ('train/time', 'train/data_time')
    shown = [{k: v for k, v in step['scalars'].items() if k not in clocks} for step in found]
    return [{**step['outputs'], **scalars} for step, scalars in zip(found, shown, strict=True)]


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore')  # each of torch's own
@pytest.mark.parametrize('name', ['anytime', pytest.param('ponder', marks=pytest.mark.long)])
def test_it_learns_and_logs_the_same(tmp_path, name):
    torch._dynamo.reset()
    counters.clear()
    plain = losses(tmp_path / f'plain-{name}', name)
    cfg = Config(dict(compile=dict(backend='eager')))
    compiled = losses(tmp_path / f'compiled-{name}', name, cfg=cfg)
    assert counters['stats']['unique_graphs'] > 0
    for step, expected in zip(compiled, plain, strict=True):
        assert step == pytest.approx(expected, abs=1e-5)
