"""A classifier, two detectors and a segmentor, small, after two steps of anytime training."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from iterbackbone.__main__ import config_root
from tests.support.classification_runs import TINY, write_class_folders
from tests.support.compute import C4, narrow_c4
from tests.support.openmmlab import ONE_WORKERLESS, detector_config, segmentor_config

HOOKS = [
    dict(type='iterbackbone.AnytimeHook', measure_every=2, full_share=0.5),
    dict(type='iterbackbone.IterationLogHook'),
]


def classifier_config(root, work_dir):
    write_class_folders(root, train=2, test=2)
    with pytest.MonkeyPatch.context() as patch:  # other tests look for real images there
        patch.setenv('ITERBACKBONE_DATA_ROOT', str(root))
        cfg = Config.fromfile(config_root() / TINY)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[loader] = {**cfg[loader], **ONE_WORKERLESS, 'batch_size': 4}
    cfg.model.backbone.update(num_stages=2, max_iterations=(2, 4), out_indices=(1,))
    cfg.model.head.in_channels = 64
    cfg.default_scope, cfg.work_dir, cfg.log_level = 'mmpretrain', str(work_dir), 'WARNING'
    return cfg


def c4_config(shapes_root, work_dir):
    cfg = detector_config(shapes_root, work_dir, C4)
    narrow_c4(cfg)
    cfg.model.backbone.max_iterations = (1, 2, 3)
    cfg.model.roi_head.shared_head.max_iterations = 2
    cfg.model.train_cfg.rpn_proposal.max_per_img = 20
    cfg.model.train_cfg.rcnn.sampler.num = 16
    return cfg


def short(cfg):
    cfg.model.backbone.max_iterations = (1, 2, 3, 2)
    return cfg


CONFIGS = {
    'c4': lambda shapes, tmp: c4_config(shapes, tmp),
    'classification': lambda shapes, tmp: classifier_config(tmp / 'data', tmp),
    'detection': lambda shapes, tmp: short(detector_config(shapes, tmp)),
    'segmentation': lambda shapes, tmp: short(segmentor_config(shapes, tmp)),
}


def train_anytime(kind: str, shapes: Path, tmp: Path) -> tuple[Path, str]:
    """Config file and checkpoint of one of ``CONFIGS``, in ``tmp``."""
    cfg = CONFIGS[kind](shapes, tmp)
    cfg.custom_hooks = HOOKS
    for loader in ('val_dataloader', 'test_dataloader'):
        if kind != 'classification':
            cfg[loader]['batch_size'] = 1
    cfg.experiment_name = f'fit_{kind}'
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=10)
    cfg.param_scheduler = None
    cfg.default_hooks = {
        **cfg.get('default_hooks', {}),
        'checkpoint': dict(type='CheckpointHook', by_epoch=False, interval=2),
    }
    runner = Runner.from_cfg(cfg)
    runner.train()
    losses = runner.message_hub.log_scalars
    assert all(f'train/loss_at_{name}' in losses for name in ('lowest', 'middle', 'full'))
    path = tmp / 'config.py'
    cfg.dump(path)
    return path, str(tmp / 'iter_2.pth')
