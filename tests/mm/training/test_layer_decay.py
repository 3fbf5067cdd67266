"""Layer-wise learning rates: mmpretrain's constructor, and ours for mmdet's and mmseg's bases."""

from __future__ import annotations

import re
from pathlib import Path

import mmpretrain
import mmseg
import pytest
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from iterbackbone.mm import IterativeResNet
from tests.support.drop_in_runs import PAGE

SIZE = dict(depth=50, base_channels=4, expansion=1)
MMPRETRAIN = Path(mmpretrain.__path__[0], '.mim/configs/spark/benchmarks')
MMSEG = Path(mmseg.__path__[0], '.mim/configs/convnext')
BASES = {
    'mmdet': 'mmdet::convnext/mask-rcnn_convnext-t-p4-w7_fpn_amp-ms-crop-3x_coco.py',
    'mmseg': str(MMSEG / 'convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512.py'),
}
LAYERS = {
    'backbone.stem.conv.weight': 0,
    'backbone.stages.0.transition.conv.weight': 1,
    'backbone.stages.0.blocks.0.conv1.weight': 1,
    'backbone.stages.2.blocks.0.norm1.5.weight': 3,
    'backbone.stages.3.blocks.0.halting.fc1.weight': 4,
    'head.fc.weight': 5,
}


@pytest.mark.parametrize(('name', 'layer'), LAYERS.items())
def test_layers_from_stem_to_head(name, layer):
    assert IterativeResNet(**SIZE).get_layer_depth(name, 'backbone.') == (layer, 6)


def test_every_block_is_a_layer():
    backbone = IterativeResNet(**SIZE, num_stages=2, blocks_per_stage=3)
    layers = [backbone.get_layer_depth(name)[0] for name, _ in backbone.named_parameters()]
    assert sorted(set(layers)) == list(range(7))
    assert backbone.get_layer_depth('stages.1.blocks.2.conv1.weight') == (6, 8)
    assert backbone.get_layer_depth('stages.1.transition.conv.weight') == (4, 8)


def groups_of(model, optim_wrapper):
    """Group of each parameter's name."""
    optim_wrapper = {**optim_wrapper, 'type': 'OptimWrapper'}  # without AMP's arguments
    for key in ('loss_scale', 'dtype'):
        optim_wrapper.pop(key, None)
    names = {id(p): n for n, p in model.named_parameters()}
    groups = build_optim_wrapper(model, optim_wrapper).optimizer.param_groups
    return {names[id(p)]: group for group in groups for p in group['params']}


def detector():
    return nn.ModuleDict({'backbone': IterativeResNet(**SIZE), 'head': nn.Linear(2, 2)})


@pytest.mark.parametrize('library', BASES)
def test_the_bases_of_detectors_and_segmentors(library, tmp_path):
    """The line of the page makes them work; without it they raise NotImplementedError."""
    (line,) = re.findall(r'`(optim_wrapper=dict\(constructor=.+?)`', PAGE.read_text())
    (tmp_path / 'mine.py').write_text(f'_base_ = {BASES[library]!r}\n{line}\n')
    cfg = Config.fromfile(tmp_path / 'mine.py')
    init_default_scope(library)
    model = detector()
    model.backbone.stem.requires_grad_(False)
    groups = groups_of(model, cfg.optim_wrapper)
    assert groups.keys() == {n for n, p in model.named_parameters() if p.requires_grad}
    rate, decay = cfg.optim_wrapper.paramwise_cfg.decay_rate, cfg.optim_wrapper.optimizer
    for name, layer in {**LAYERS, 'head.weight': 5}.items():
        if name in groups:
            assert groups[name]['lr'] == pytest.approx(decay.lr * rate ** (5 - layer))
            is_flat = 'norm' in name
            assert groups[name]['weight_decay'] == (0.0 if is_flat else decay.weight_decay)
    assert groups['backbone.stages.0.blocks.0.halting.fc2.bias']['weight_decay'] == 0.0
    with pytest.raises(NotImplementedError):
        groups_of(model, {**cfg.optim_wrapper, 'constructor': 'LearningRateDecayOptimizerConstructor'})


def test_the_constructor_of_mmpretrain():
    cfg = Config.fromfile(MMPRETRAIN / 'convnextv2-tiny_8xb256-coslr-300e_in1k.py')
    init_default_scope('mmpretrain')
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(type='iterbackbone.IterativeResNet', **SIZE, out_indices=(3,)),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=2, in_channels=32),
        )
    )
    groups = groups_of(model, cfg.optim_wrapper)
    assert groups.keys() == dict(model.named_parameters()).keys()
    rate, lr = cfg.optim_wrapper.paramwise_cfg.layer_decay_rate, cfg.optim_wrapper.optimizer.lr
    for name, layer in LAYERS.items():
        assert groups[name]['lr'] == pytest.approx(lr * rate ** (5 - layer))


@pytest.mark.parametrize(
    ('model', 'paramwise', 'error'),
    [
        (detector(), dict(num_layers=6), 'paramwise_cfg.decay_rate must be a number, got None'),
        (detector(), dict(decay_rate='a'), 'paramwise_cfg.decay_rate'),
        (nn.Linear(2, 2), dict(decay_rate=0.9), 'Linear has no iterbackbone.IterativeResNet'),
    ],
)
def test_what_is_missing_is_named(model, paramwise, error):
    constructor = 'iterbackbone.LearningRateDecayOptimizerConstructor'
    cfg = dict(constructor=constructor, optimizer=dict(type='SGD', lr=1.0), paramwise_cfg=paramwise)
    with pytest.raises((TypeError, ValueError), match=error):
        build_optim_wrapper(model, cfg)
