"""Every experiment's config loads; its model, pipelines, hooks and optimizer are built and fit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from mmengine.dataset import Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, HOOKS, init_default_scope

from iterbackbone.__main__ import config_root
from iterbackbone.mm.configs import build_model, random_input, read_config

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / 'experiments').glob('*/*.py'))
CONFIGS = [path for path in FILES if re.search('^(_base_|model) = ', path.read_text(), re.MULTILINE)]


def named(path):
    return f'{path.parent.name}/{path.stem}'


def pipelines(cfg):
    """All pipelines below ``cfg``: of each loader, and of datasets inside a dataset."""
    if isinstance(cfg, dict):
        if cfg.get('pipeline'):
            yield cfg['pipeline']
        for value in cfg.values():
            yield from pipelines(value)
    elif isinstance(cfg, (list, tuple)):
        for value in cfg:
            yield from pipelines(value)


def test_the_configs_are_found():
    found = {named(path) for path in CONFIGS}
    assert found >= {
        'block_start/cifar',
        'imagenette/anytime',
        'mosaics/one_iteration',
        'pretraining/unshared',
        'voc_cells/joint',
        'voc_models/unshared_segmentor',
    }


@pytest.mark.parametrize('path', CONFIGS, ids=named)
def test_everything_is_built_and_an_image_runs_through(path):
    cfg = read_config(path)
    model = build_model(cfg)
    with torch.no_grad():
        outputs = model(random_input(model, (64, 96))['inputs'], mode='tensor')
    assert outputs is not None
    assert len([HOOKS.build(hook) for hook in cfg.custom_hooks]) == len(cfg.custom_hooks)
    assert build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    for pipeline in pipelines([cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader]):
        Compose(pipeline)


@pytest.mark.parametrize(
    ('twin', 'shipped'),
    [
        ('unshared_detector', 'detection/fcos_iterative-r50-w32_fpn_anytime_voc2007-320.py'),
        ('unshared_segmentor', 'segmentation/upernet_iterative-r50-w32_anytime_voc2007-320.py'),
        (
            'unshared_entry_detector',
            'detection/fcos_efficientnet-lite0-iterative_fpn_anytime_voc2007-320.py',
        ),
    ],
)
def test_a_twin_differs_from_the_shipped_network_in_backbone_and_hooks_alone(twin, shipped):
    cfg = read_config(ROOT / 'experiments/voc_models' / f'{twin}.py')
    expected = read_config(config_root() / shipped)
    own, ours = cfg.model.backbone, expected.model.backbone
    if 'entry' in ours:
        assert (own.type, own.blocks) == ('mmdet.UnsharedStages', ours.max_iterations)
        assert all(own[key] == ours[key] for key in ('entry', 'base_channels', 'strides'))
        expected.custom_imports, expected.optim_wrapper.type = (
            cfg.custom_imports,
            cfg.optim_wrapper.type,
        )
    else:
        assert own.type == 'ResNet'
        assert own.out_indices == ours.get('out_indices', (0, 1, 2, 3))
    assert cfg.custom_hooks == [hook for hook in expected.custom_hooks if hook.type == 'EMAHook']
    expected.model.backbone, expected.custom_hooks = cfg.model.backbone, cfg.custom_hooks
    for key in expected:
        assert key == 'work_dir' or cfg[key] == expected[key], key


def test_the_untied_twin_starts_from_the_same_weights_by_the_same_recipe():
    folder = ROOT / 'experiments/voc_models'
    cfg, expected = (
        read_config(folder / name) for name in ('untied_entry_segmentor.py', 'entry_segmentor.py')
    )
    assert cfg.model.backbone == dict(type='iterbackbone.UntiedResNet', shared=expected.model.backbone)
    assert cfg.custom_hooks == [hook for hook in expected.custom_hooks if hook.type == 'EMAHook']
    expected.model.backbone, expected.custom_hooks = cfg.model.backbone, cfg.custom_hooks
    for key in expected:
        assert key in ('work_dir', 'custom_imports') or cfg[key] == expected[key], key


def test_joint_training_on_voc_cells_reads_real_images(voc2007):
    """One label for each cell of 16 x 16 pixels, in training and in the test."""
    cfg = read_config(ROOT / 'experiments/voc_cells/joint.py')
    assert cfg.data_root == f'{voc2007}/VOCdevkit/VOC2007'
    init_default_scope(cfg.default_scope)
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        item = DATASETS.build(loader.dataset)[0]
        cells = item['data_samples'].gt_sem_seg.shape
        assert tuple(side // 16 for side in item['inputs'].shape[1:]) == cells
