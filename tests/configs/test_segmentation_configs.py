"""Every segmentation config builds, takes a training step and evaluates on the CPU."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.model.utils import convert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import nn

from iterbackbone.__main__ import config_names
from tests.support.openmmlab import (
    at_full_depth,
    load,
    read_log,
    segmentor_config,
    train_and_check_halting_units,
    train_one_step,
)

pytestmark = pytest.mark.slow
CONFIGS = [name for name in config_names() if name.startswith('segmentation/')]
ADE20K = [name for name in CONFIGS if 'ade20k' in name]
MODEL_OF = {name.split('_4xb4')[0]: name for name in CONFIGS}  # one config of each model
STEPS = {'80k': 80000, '160k': 160000}


def build(name):
    init_default_scope('mmseg')
    with torch.device('meta'):
        return MODELS.build(load(MODEL_OF[f'segmentation/{name}']).model)


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize('name', MODEL_OF.values())
def test_one_training_step_and_one_evaluation(name, shapes_root, tmp_path):
    cfg = at_full_depth(segmentor_config(shapes_root, tmp_path, name))
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader['dataset']['indices'] = 2
    runner, scalars, moved = train_one_step(cfg)
    assert scalars['train/loss'] > 0
    assert scalars['train/aux.loss_ce'] > 0
    assert {n.split('.')[0] for n in moved} == {'backbone', 'decode_head', 'auxiliary_head'}
    assert ('train/loss_ponder' in scalars) == ('iterative' in name and 'anytime' not in name)
    logs = list(tmp_path.rglob('iterations/val_iter_1/records.jsonl'))
    assert len(logs) == (1 if 'iterative' in name else 0)
    if logs:
        records, predictions, _ = read_log(logs[0].parent)
        assert len(records) == len(predictions) == 2
        limits = {'r50': [3, 4, 6, 3], 'r101': [3, 4, 23, 3], 'r152': [3, 8, 36, 3]}
        depth = re.search(r'iterative-(r\d+)', name)
        expected = limits[depth[1]] if depth else list(runner.model.backbone.max_iterations)
        assert all(record['iterations'] == expected for record in records)


def test_gradient_reaches_the_halting_units(shapes_root, tmp_path):
    train_and_check_halting_units(segmentor_config(shapes_root, tmp_path))


@pytest.mark.parametrize('name', ADE20K)
def test_ade20k(name):
    cfg = load(name)
    assert cfg.model.decode_head.num_classes == cfg.model.auxiliary_head.num_classes == 150
    assert cfg.model.data_preprocessor.size == (512, 512)
    assert cfg.train_dataloader.dataset.type == 'ADE20KDataset'
    assert cfg.train_dataloader.dataset.data_prefix.img_path == 'images/training'
    assert cfg.test_dataloader.dataset.data_prefix.img_path == 'images/validation'
    crops = [s.crop_size for s in cfg.train_dataloader.dataset.pipeline if s.type == 'RandomCrop']
    assert crops == [(512, 512)]
    steps = STEPS[name.split('4xb4-')[1].split('_')[0]]
    assert cfg.train_cfg.max_iters == cfg.param_scheduler[-1].end == steps
    assert cfg.train_cfg.val_interval == cfg.default_hooks.checkpoint.interval == steps // 10
    assert cfg.train_dataloader.batch_size == 4


@pytest.mark.parametrize('name', CONFIGS)
def test_plain_batchnorm_and_no_leftovers(name):
    cfg = load(name)
    assert 'pretrained' not in cfg.model
    assert 'SyncBN' not in cfg.pretty_text
    assert 'onedl' not in cfg.pretty_text
    if 'iterative' in name:
        assert cfg.model.backbone.frozen_stages == -1
        assert cfg.model.backbone.norm_eval is False
        assert ('init_cfg' in cfg.model.backbone) == ('anytime' in name)
    else:
        checkpoint = cfg.model.backbone.init_cfg.checkpoint
        assert checkpoint == f'torchvision://resnet{cfg.model.backbone.depth}'


@pytest.mark.parametrize('name', sorted({*CONFIGS} - {*ADE20K}))
def test_test_time_augmentation_flips(name, tmp_path):
    """What mmseg's ``--tta`` asks for, at the size of the test pipeline."""
    cfg = load(name)
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), picture)
    cv2.imwrite(str(tmp_path / 'map.png'), picture[..., 0] % 2)

    def inputs(pipeline):
        files = dict(img_path=str(tmp_path / 'a.png'), seg_map_path=str(tmp_path / 'map.png'))
        return Compose(pipeline)({**files, 'seg_fields': [], 'reduce_zero_label': False})['inputs']

    init_default_scope('mmseg')
    plain, flipped = inputs(cfg.tta_pipeline)
    assert torch.equal(plain, inputs(cfg.test_dataloader.dataset.pipeline))
    assert torch.equal(flipped, plain.flip(2))


@pytest.mark.parametrize('name', [name for name in ADE20K if '-80k' in name and 'upernet' in name])
def test_schedules_differ_in_length_only(name):
    short, long = load(name), load(name.replace('-80k', '-160k'))
    assert short.model == long.model
    assert short.optim_wrapper == long.optim_wrapper


@pytest.mark.parametrize('name', [MODEL_OF[f'segmentation/upernet_{n}r50'] for n in ('', 'iterative-')])
def test_synchronised_batchnorm(name):
    """Both ways: sync_bn='torch', which converts, and the type SyncBN in each part."""
    model = convert_sync_batchnorm(MODELS.build(load(name).model), 'torch')
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert len(norms) > 50
    assert all(isinstance(norm, nn.SyncBatchNorm) for norm in norms)
    cfg = load(name)
    for part in ('backbone', 'decode_head', 'auxiliary_head'):
        cfg.model[part].norm_cfg.type = 'SyncBN'
    model = MODELS.build(cfg.model)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())


# Millions of parameters with the auxiliary head, as counted from the layers' shapes.
@pytest.mark.parametrize(
    ('name', 'total', 'backbone'),
    [
        ('upernet_iterative-r152', 52.33, 9.34),
        ('upernet_iterative-r101', 52.28, 9.29),
        ('upernet_iterative-r50', 52.23, 9.24),
        ('upernet_iterative-r152-small', 40.11, 5.58),
        ('upernet_iterative-r152-dw', 49.58, 6.59),
        ('upernet_r152', 101.13, 58.14),
        ('upernet_r101', 85.49, 42.50),
        ('upernet_r50', 66.50, 23.51),
        ('upernet-256ch_iterative-r152', 25.55, 9.34),
        ('upernet-256ch_r152', 74.35, 58.14),
    ],
)
def test_parameters(name, total, backbone):
    model = build(name)
    assert round(parameters(model) / 1e6, 2) == total
    assert round(parameters(model.backbone) / 1e6, 2) == backbone


@pytest.mark.parametrize(('head', 'share'), [('upernet', 0.517), ('upernet-256ch', 0.344)])
def test_share_of_the_resnets_parameters(head, share):
    ours, plain = parameters(build(f'{head}_iterative-r152')), parameters(build(f'{head}_r152'))
    assert round(ours / plain, 3) == share


@pytest.mark.parametrize('head', ['pspnet', 'deeplabv3plus'])
def test_output_stride_8(head):
    cfg = load(MODEL_OF[f'segmentation/{head}_iterative-r50-d8'])
    backbone = MODELS.build({**cfg.model.backbone, 'base_channels': 8}).eval()
    with torch.no_grad():
        features = backbone(torch.zeros(1, 3, 64, 64))
    assert [64 // f.shape[-1] for f in features] == [4, 8, 8, 8]
