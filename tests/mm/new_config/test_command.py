"""`new` inherits a config of any toolbox, swaps the backbone and fits the channels."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from iterbackbone.__main__ import main
from iterbackbone.cli.paths import any_config
from iterbackbone.mm.configs import build_model
from iterbackbone.mm.new_config import command
from iterbackbone.mm.new_config.command import write_config

# Base, options of the backbone beside its type, other parts of the model that change.
SERVED = [
    (
        'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py',
        dict(expansion=1, max_iterations=(2, 2, 2, 2), out_indices=(0, 1, 2, 3)),
        {},
    ),
    (
        'mmdet::regnet/retinanet_regnetx-800MF_fpn_1x_coco.py',  # a stem of stride 2
        dict(expansion=4, max_iterations=(1, 3, 7, 5), out_indices=(0, 1, 2, 3)),
        {'neck': {'in_channels': [256, 512, 1024, 2048]}},
    ),
    (
        'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
        dict(expansion=4, depth=50, out_indices=(1, 2, 3)),
        {'neck': {'in_channels': [512, 1024, 2048]}},
    ),
    (
        'mmdet::faster_rcnn/faster-rcnn_r50-caffe_c4-1x_coco.py',
        dict(expansion=4, depth=50, out_indices=(2,), num_stages=3),
        {},
    ),
    (
        'mmseg::pspnet/pspnet_r50-d8_4xb4-80k_ade20k-512x512.py',
        dict(
            expansion=4,
            depth=50,
            out_indices=(0, 1, 2, 3),
            strides=(1, 2, 1, 1),
            dilations=(1, 1, 2, 4),
        ),
        {'pretrained': None},
    ),
    (
        'mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py',
        dict(expansion=4, depth=50, out_indices=(0, 1, 2, 3)),
        {'decode_head': {'in_channels': [256, 512, 1024, 2048]}},
    ),
    (
        'mmpretrain::resnet/resnet18_8xb16_cifar10.py',
        dict(expansion=1, max_iterations=(2, 2, 2, 2), out_indices=(3,), stem='cifar'),
        {},
    ),
    (
        'mmpretrain::simsiam/simsiam_resnet50_8xb32-coslr-100e_in1k.py',
        dict(expansion=4, depth=50, out_indices=(3,)),
        {},
    ),
]


@pytest.mark.parametrize(('base', 'options', 'changed'), SERVED, ids=lambda x: str(x)[:40])
def test_the_backbone_is_swapped_and_all_else_stays(base, options, changed, tmp_path):
    path = tmp_path / 'mine.py'
    said = write_config(path, any_config(base), base)
    written, old = Config.fromfile(path), Config.fromfile(any_config(base))
    backbone = dict(written.model.backbone)
    assert backbone.pop('type') == 'iterbackbone.IterativeResNet'
    theirs = old.model.backbone
    kept = {key: theirs[key] for key in ('norm_cfg', 'with_cp') if key in theirs}
    if norm := kept.get('norm_cfg'):  # random weights need norms that train
        kept['norm_cfg'] = {k: v for k, v in norm.items() if (k, v) != ('requires_grad', False)}
    assert backbone == {'base_channels': 64, **options, **kept}
    for name, part in old.model.items():
        if name != 'backbone':
            new = changed.get(name, {})
            whole = {**part, **new} if isinstance(part, dict) else changed.get(name, part)
            assert written.model[name] == whole
    hooks = [[hook.type for hook in cfg.get('custom_hooks', [])] for cfg in (written, old)]
    assert hooks[0] == hooks[1]
    assert written.default_hooks.keys() - old.default_hooks.keys() == {'anytime', 'iteration_log'}
    assert f'Wrote {path}, which inherits {base}' in said


@pytest.mark.parametrize(
    ('base', 'hooks'),
    [
        (
            'soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco',
            ['MeanTeacherHook'],
        ),
        ('masktrack_rcnn/masktrack-rcnn_mask-rcnn_r50_fpn_8xb1-12e_youtubevis2019', []),
    ],
)
def test_a_semi_supervised_detector_and_a_tracker_have_it_one_level_down(base, hooks, tmp_path):
    name = f'mmdet::{base}.py'
    write_config(tmp_path / 'mine.py', any_config(name), name)
    cfg = Config.fromfile(tmp_path / 'mine.py')
    assert cfg.model.detector.backbone.type == 'iterbackbone.IterativeResNet'
    assert [hook.type for hook in cfg.get('custom_hooks', [])] == hooks


@pytest.mark.parametrize(
    'base',
    [
        'mask2former/mask2former_r50_8xb2-160k_ade20k-512x512',  # a head that wants data samples
        'point_rend/pointrend_r50_4xb4-160k_ade20k-512x512',  # several heads
    ],
)
def test_segmentors_that_can_only_predict_are_served(base, tmp_path):
    name = f'mmseg::{base}.py'
    assert 'It builds and runs' in write_config(tmp_path / 'mine.py', any_config(name), name)


def test_layer_wise_learning_rates_get_a_constructor_that_knows_the_layers(tmp_path):
    base = 'mmdet::convnext/mask-rcnn_convnext-t-p4-w7_fpn_amp-ms-crop-3x_coco.py'
    write_config(tmp_path / 'mine.py', any_config(base), base)
    wrapper = Config.fromfile(tmp_path / 'mine.py').optim_wrapper
    assert wrapper.constructor == 'iterbackbone.LearningRateDecayOptimizerConstructor'


def test_a_file_is_inherited_by_its_relative_path(tmp_path, monkeypatch):
    base = any_config('mmdet::retinanet/retinanet_r18_fpn_1x_coco.py')
    write_config(tmp_path / 'mine.py', base, '')
    first = (tmp_path / 'mine.py').read_text().splitlines()[0]
    assert first == f'_base_ = {os.path.relpath(base, tmp_path)!r}'


@pytest.mark.parametrize(
    ('base', 'reason'),
    [
        ('mmpretrain::vision_transformer/vit-base-p16_64xb64_in1k-384px.py', 'VisionTransformer, '),
        ('mmdet::centernet/centernet_tta.py', 'must have a model'),
        ('faster-rcnn_iterative-r50_fpn_1x_voc2007', 'its backbone is IterativeResNet already'),
        ('mmdet::ld/ld_r18-gflv1-r101_fpn_1x_coco.py', 'configs/gfl/gfl_r101'),  # its teacher's
        ('mmdet::none.py', "config must be one that mmdet ships, got 'none.py'"),
    ],
)
def test_a_base_that_cannot_be_served_is_named(base, reason, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['iterbackbone', 'new', 'mine', '--base', base])
    with pytest.raises(SystemExit, match='2'):
        main()
    assert reason in capsys.readouterr().err.splitlines()[-1]
    assert list(Path().iterdir()) == []


def test_base_and_config_are_built_once_each(tmp_path, monkeypatch):
    built = []
    monkeypatch.setattr(command, 'build_model', lambda cfg: built.append(cfg) or build_model(cfg))
    base = 'mmpretrain::resnet/resnet18_8xb16_cifar10.py'
    said = write_config(tmp_path / 'mine.py', any_config(base), base)
    assert len(built) == 2
    before, after = (sum(p.numel() for p in build_model(cfg).parameters()) for cfg in built)
    assert f'parameters {before / 1e6:.1f} M -> {after / 1e6:.1f} M' in said


def test_a_full_disk_leaves_no_half_of_a_config(tmp_path):
    path, base = tmp_path / 'mine.py', 'mmpretrain::resnet/resnet18_8xb16_cifar10.py'
    (tmp_path / 'mine.py.part').symlink_to('/dev/full')
    with pytest.raises(OSError, match=r"No space left on device: '.*/mine\.py'"):
        write_config(path, any_config(base), base)
    assert not list(tmp_path.iterdir())


def test_a_config_that_does_not_run_is_not_left(tmp_path, monkeypatch):
    def fails(model, base):
        raise ValueError('it does not run')

    monkeypatch.setattr(command, '_run', fails)
    base = 'mmpretrain::resnet/resnet18_8xb16_cifar10.py'
    with pytest.raises(ValueError, match='it does not run'):
        write_config(tmp_path / 'mine.py', any_config(base), base)
    assert not list(tmp_path.iterdir())


def test_the_next_command_is_quoted(tmp_path):
    base = 'mmpretrain::resnet/resnet18_8xb16_cifar10.py'
    said = write_config(tmp_path / 'mein häus.py', any_config(base), base)
    assert f"Next: iterbackbone train '{tmp_path}/mein häus.py'\n" in said


@pytest.mark.parametrize('name', ['mine', 'none/mine', '', 'none/', '..', 'a\udcff', '/proc/x'])
def test_nothing_is_replaced(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path('mine.py').touch()
    monkeypatch.setattr(sys, 'argv', ['iterbackbone', 'new', name, '--base', 'mmdet::x.py'])
    with pytest.raises(SystemExit, match='2'):
        main()
    last = capsys.readouterr().err.splitlines()[-1]
    of_a_folder = 'error: argument NAME: must be a file in a folder that can be written to, got '
    assert ('error: NAME must be a new file of a printable name, got ' in last) or of_a_folder in last
