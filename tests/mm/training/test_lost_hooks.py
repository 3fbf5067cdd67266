"""A warning where a config's custom_hooks dropped what its bases have."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from iterbackbone.mm import PonderCostHook
from iterbackbone.mm.training.lost_hooks import hooks_of_bases
from tests.support.openmmlab import train_tiny

SOFT_TEACHER = 'mmdet::soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py'
YOLOX = 'mmdet::yolox/yolox_tiny_8xb8-300e_coco.py'
OURS = "dict(type='iterbackbone.PonderCostHook')"
REPLACED = f'custom_hooks = [{OURS}]'
OF_YOLOX = {'YOLOXModeSwitchHook', 'SyncNormHook', 'EMAHook'}


def config(folder, *files):
    """The last of files that are each other's bases."""
    base = files[0]
    for number, text in enumerate(files[1:]):
        file = folder / f'config{number}.py'
        file.write_text(f'_base_ = {base!r}\n{text}\n')
        base = str(file)
    return Config.fromfile(base)


@pytest.mark.parametrize(
    ('files', 'expected'),
    [
        ([SOFT_TEACHER, REPLACED], {'MeanTeacherHook'}),
        ([YOLOX, 'custom_hooks = []'], OF_YOLOX),
        ([YOLOX, REPLACED, 'max_epochs = 1'], OF_YOLOX | {'PonderCostHook'}),
        ([YOLOX, f'custom_hooks = [*_base_.custom_hooks, {OURS}]', ''], OF_YOLOX | {'PonderCostHook'}),
        ([YOLOX, 'custom_hooks = _base_.custom_hooks\ncustom_hooks.pop()', ''], OF_YOLOX),
        ([YOLOX, "custom_hooks = [dict(type='mmdet.NumClassCheckHook')]", ''], {'NumClassCheckHook'}),
        ([YOLOX, 'del _base_.custom_hooks', ''], set()),  # as a library's own config may
        (['mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', REPLACED], set()),
    ],
    ids=lambda value: None if isinstance(value, set) else '-'.join(value)[-40:],
)
def test_hooks_of_bases(files, expected, tmp_path):
    assert hooks_of_bases(config(tmp_path, *files)) == expected


def test_a_config_without_a_file():
    assert hooks_of_bases(Config(dict(custom_hooks=[]))) == set()


@pytest.mark.parametrize(
    ('text', 'lost'),
    [
        (REPLACED, 'EMAHook, SyncNormHook, YOLOXModeSwitchHook'),
        (f"custom_hooks = [dict(type='EMAHook'), {OURS}]", 'SyncNormHook, YOLOXModeSwitchHook'),
    ],
)
def test_the_training_names_what_is_gone(text, lost, tmp_path, monkeypatch):
    messages = []
    monkeypatch.setattr(
        'iterbackbone.mm.training.lost_hooks.print_log', lambda text, **_: messages.append(text)
    )
    cfg = config(tmp_path, YOLOX, text)
    kept = [hook for hook in cfg.custom_hooks if hook['type'] == 'EMAHook']
    train_tiny(tmp_path, PonderCostHook(), max_iters=1, more_hooks=kept, cfg=cfg)
    (message,) = messages
    assert f'are gone: {lost}. ' in message


def test_nothing_is_said_where_nothing_is_gone(tmp_path, monkeypatch):
    messages = []
    monkeypatch.setattr(
        'iterbackbone.mm.training.lost_hooks.print_log', lambda text, **_: messages.append(text)
    )
    cfg = config(tmp_path, 'mmpretrain::convnext/convnext-tiny_32xb128_in1k.py', '')
    train_tiny(tmp_path, PonderCostHook(), max_iters=1, more_hooks=[dict(type='EMAHook')], cfg=cfg)
    assert messages == []
