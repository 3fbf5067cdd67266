"""Every detection config builds, takes a training step and evaluates on the CPU."""

from __future__ import annotations

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from iterbackbone.__main__ import config_names
from iterbackbone.core.macs import mac_table
from tests.support.openmmlab import at_full_depth, detector_config, load, read_log, train_one_step

pytestmark = pytest.mark.slow
CONFIGS = [name for name in config_names() if name.startswith('detection/')]
VOC = [name for name in CONFIGS if 'voc2007' in name]


def build(name):
    init_default_scope('mmdet')
    with torch.device('meta'):
        return MODELS.build(load(name).model)


def without_downloads(cfg):
    """Random weights for whatever would be fetched."""
    if isinstance(cfg, dict):
        if 'Pretrained' in str(cfg.get('init_cfg') or {}):
            cfg['init_cfg'] = None
        for value in cfg.values():
            without_downloads(value)


def narrow(model):
    """The backbone at 8 channels, where a pyramid takes any number."""
    if model.get('neck'):
        width = model.backbone.get('base_channels', 64)
        model.backbone.base_channels = 8
        model.neck.in_channels = [channels * 8 // width for channels in model.neck.in_channels]


@pytest.mark.parametrize('name', CONFIGS)
def test_one_training_step_and_one_evaluation(name, shapes_root, tmp_path):
    cfg = at_full_depth(detector_config(shapes_root, tmp_path, name))
    without_downloads(cfg.model)
    cfg.load_from = None
    narrow(cfg.model)
    for hook in cfg.get('custom_hooks', []):
        hook.pop('target', None)  # out of a narrow network's reach behind an entry
    if 'roi_head' in cfg.model:
        cfg.model.test_cfg.rpn.max_per_img = 20
        cfg.model.train_cfg.rcnn.sampler.num = 8
        if 'fc_out_channels' in cfg.model.roi_head.bbox_head:
            cfg.model.roi_head.bbox_head.fc_out_channels = 64
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader['dataset']['indices'] = 2
    runner, scalars, moved = train_one_step(cfg)
    assert scalars['train/loss'] > 0
    heads = {'rpn_head', 'roi_head'} if 'roi_head' in cfg.model else {'bbox_head'}
    assert {n.split('.')[0] for n in moved} >= {'backbone', *heads}
    assert ('train/loss_ponder' in scalars) == ('iterative' in name and 'anytime' not in name)
    logs = list(tmp_path.rglob('iterations/val_iter_1/records.jsonl'))
    assert len(logs) == (1 if 'iterative' in name else 0)
    if 'iterative' in name and 'c4' in name:
        size = cfg.model.roi_head.bbox_roi_extractor.roi_layer.output_size
        check_rois(read_log(logs[0].parent), runner.model, size)


def check_rois(log, model, size):
    """The RoI head's share of the MACs is that of RoI features of ``size``, all at full depth."""
    records, _, meta = log
    layer = model.roi_head.shared_head
    each = mac_table(layer, (size, size)).highest
    for record in records:
        assert 0 < record['num_rois'] <= 20
        assert record['mean_roi_iterations'] == layer.max_iterations[0]
        assert record['iterations'] == list(model.backbone.max_iterations)
        height, width = meta['mac_table']['input_size']
        assert (height, width) == (64, 96)
        assert record['macs'] == meta['mac_table']['highest'] + record['num_rois'] * each


@pytest.mark.parametrize(
    ('name', 'millions'),
    [
        ('faster-rcnn_iterative-r152-c4_1x_voc2007', 14.3),
        ('faster-rcnn_r152-c4_1x_voc2007', 63.1),
        ('faster-rcnn_vgg16_1x_voc2007', 137.1),
    ],
)
def test_parameters_of_the_papers_detectors(name, millions):
    count = sum(p.numel() for p in build(f'detection/{name}.py').parameters())
    assert round(count / 1e6, 1) == millions


@pytest.mark.parametrize('name', [name for name in VOC if name.endswith('1x_voc2007.py')])
def test_the_papers_data(name):
    cfg = load(name)
    train, test = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
    assert train.type == 'VOCDataset'  # one dataset: 2007 alone
    assert train.ann_file == 'VOC2007/ImageSets/Main/trainval.txt'
    assert test.ann_file == 'VOC2007/ImageSets/Main/test.txt'
    assert cfg.test_evaluator.eval_mode == '11points'
    for dataset in (train, test):
        scales = [step.scale for step in dataset.pipeline if step.type == 'Resize']
        assert [min(scale) for scale in scales] == [600]
    assert cfg.model.roi_head.bbox_head.num_classes == 20


@pytest.mark.parametrize('name', [name for name in VOC if not name.endswith('1x_voc2007.py')])
def test_the_small_configs_data_is_there_with_the_train_and_val_images_alone(name):
    cfg = load(name)
    for loader, split in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = cfg[f'{loader}_dataloader'].dataset
        assert dataset.ann_file == f'VOC2007/ImageSets/Main/{split}.txt'
        scales = [s.scale for s in dataset.pipeline if 'Resize' in s.type]
        assert scales == [(533, 320) if name.endswith('-320.py') else (400, 240)]
    head = cfg.model.roi_head.bbox_head if 'roi_head' in cfg.model else cfg.model.bbox_head
    assert head.num_classes == 20


@pytest.mark.parametrize('name', [n for n in CONFIGS if 'iterative' in n])
def test_random_features_are_not_frozen(name):
    cfg = load(name)
    model = build(name)
    assert cfg.model.backbone.get('frozen_stages', -1) == -1
    assert cfg.model.backbone.get('norm_eval', False) is False
    parts = [model.backbone] + ([model.roi_head.shared_head] if 'c4' in name else [])
    if 'entry' in cfg.model.backbone:  # trained, and stays as it is
        parts = list(model.backbone.stages)
    for part in parts:
        assert all(p.requires_grad for p in part.parameters())


@pytest.mark.parametrize('name', [n for n in VOC if 'iterative' not in n])
def test_baselines_state_their_pretraining(name):
    cfg = load(name)
    checkpoint = cfg.model.backbone.init_cfg.checkpoint
    depth = str(cfg.model.backbone.depth)
    assert checkpoint == f'torchvision://resnet{depth}' or 'vgg16_batch256_imagenet' in checkpoint


def test_c4_runs_512_rpn_channels_and_300_proposals():
    for name in ('faster-rcnn_iterative-r152-c4_1x_voc2007', 'faster-rcnn_r152-c4_1x_voc2007'):
        cfg = load(f'detection/{name}.py')
        assert cfg.model.rpn_head.feat_channels == 512
        assert cfg.model.test_cfg.rpn.max_per_img == 300
