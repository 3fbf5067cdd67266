"""The distillation config from the tool's checkpoint to a training step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.models.backbones import ResNet
from PIL import Image

from iterbackbone.__main__ import config_root, tool_path
from tests.support.openmmlab import without_evaluation
from tests.support.processes import Program

NAME = 'classification/iterative-r50_distilled-from-r50_8xb32_in1k.py'


@pytest.fixture
def cfg(tmp_path):
    teacher = {'backbone.' + key: value for key, value in ResNet(50).state_dict().items()}
    torch.save({'state_dict': teacher}, tmp_path / 'r50.pth')
    tool = Path(tool_path('iterbackbone', 'resnet_to_iterative'))
    files = [tmp_path / 'r50.pth', '--depth', '50', '--out', tmp_path / 'start.pth']
    code, _, errors = Program(tool, *files).wait(timeout=300)
    assert code == 0, errors
    init_default_scope('mmpretrain')
    cfg = Config.fromfile(config_root() / NAME)
    cfg.model.backbone.init_cfg.checkpoint = str(tmp_path / 'start.pth')
    cfg.custom_hooks[1].teacher.init_cfg.checkpoint = str(tmp_path / 'r50.pth')
    return cfg


def test_one_training_step(cfg, tmp_path):
    cfg.work_dir, cfg.log_level, cfg.param_scheduler = str(tmp_path), 'WARNING', None
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1)
    cfg.default_hooks.checkpoint = None
    without_evaluation(cfg)
    for i in (0, 1):
        pixels = np.random.default_rng(i).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        (tmp_path / 'images' / str(i)).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / 'images' / str(i) / 'a.png')
    loader = cfg.train_dataloader
    loader.update(batch_size=2, num_workers=0, persistent_workers=False)
    pipeline = [{**step, 'scale': 64} if 'scale' in step else step for step in cfg.train_pipeline]
    loader.dataset = dict(type='CustomDataset', data_root=str(tmp_path / 'images'), pipeline=pipeline)
    runner = Runner.from_cfg(cfg)
    runner.train()
    scalars = {key: value.current() for key, value in runner.message_hub.log_scalars.items()}
    assert {k for k in scalars if 'distill' in k} == {f'train/loss_distill_stage{k}' for k in range(4)}
    assert scalars['train/ponder_weight'] == 0.005
    # The transition is the teacher's and frozen by nothing: one step of SGD away from it.
    start = torch.load(tmp_path / 'start.pth')['state_dict']
    trained = runner.model.state_dict()
    key = 'backbone.stages.2.transition.conv.weight'
    assert 0 < (trained[key] - start[key]).abs().max() < 0.1
