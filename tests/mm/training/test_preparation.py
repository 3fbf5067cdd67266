"""A warning where a config's custom_hooks dropped what its bases have."""

from __future__ import annotations

import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger

from iterbackbone.mm import AnytimeHook, PonderCostHook
from iterbackbone.mm.training.preparation import hooks_of_bases
from tests.support.tiny_training import train_tiny

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
        (
            [YOLOX, 'custom_hooks = _base_.custom_hooks\ncustom_hooks.pop()', ''],
            OF_YOLOX - {'EMAHook'},
        ),
        ([YOLOX, "custom_hooks = [dict(type='mmdet.NumClassCheckHook')]", ''], {'NumClassCheckHook'}),
        ([YOLOX, 'del _base_.custom_hooks', ''], set()),  # as a library's own config may
        (['mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', REPLACED], set()),
    ],
    ids=lambda value: None if isinstance(value, set) else '-'.join(value)[-40:],
)
def test_hooks_of_bases(files, expected, tmp_path):
    assert hooks_of_bases(config(tmp_path, *files).filename) == expected


PLAIN = f'base.py\ncustom_hooks = [dict(type="EMAHook"), {OURS}]\n'
LAZY_BASE = """base.py
from mmengine.hooks import EMAHook, Hook
from iterbackbone.mm import PonderCostHook
custom_hooks = [dict(type=EMAHook), dict(type=PonderCostHook)]
"""
LAZY = 'with read_base():\n    from .base import *\n'


@pytest.mark.parametrize(
    'files',
    [
        [PLAIN, 'top.json\n{"_base_": "base.py", "custom_hooks": []}'],
        [PLAIN, 'top.yaml\n_base_: [base.py]\ncustom_hooks: []\n'],
        [PLAIN, 'a.yaml\n_base_: base.py\n', 'top.json\n{"_base_": "a.yaml", "custom_hooks": []}'],
        ['base.json\n{"custom_hooks": [{"type": "EMAHook"}]}', 'top.py\n_base_ = "base.json"\n'],
        [LAZY_BASE, f'top.py\nfrom mmengine.config import read_base\n{LAZY}custom_hooks = []\n'],
    ],
    ids=['json', 'yaml', 'two', 'base', 'read_base'],
)
def test_configs_of_every_format(files, tmp_path):
    for text in files:
        name, _, rest = text.partition('\n')
        (tmp_path / name).write_text(rest)
    assert hooks_of_bases(Config.fromfile(tmp_path / name).filename) - {'PonderCostHook'} == {'EMAHook'}


def test_a_base_in_a_package(tmp_path, monkeypatch):
    package = tmp_path / 'package_of_configs'
    package.mkdir()
    (package / '__init__.py').touch()
    (package / 'base.py').write_text(LAZY_BASE.partition('\n')[2])
    monkeypatch.syspath_prepend(tmp_path)
    text = LAZY.replace('.base', 'package_of_configs.base')
    file = tmp_path / 'top.py'
    file.write_text(f'from mmengine.config import read_base\n{text}custom_hooks = []\n')
    assert hooks_of_bases(Config.fromfile(file).filename) == {'EMAHook', 'PonderCostHook'}


def test_a_base_that_a_variable_names(tmp_path, monkeypatch):
    monkeypatch.setenv('KIND', 'base')
    (tmp_path / 'base.py').write_text(REPLACED)
    cfg = config(tmp_path, '{{ $KIND:other }}.py', '')
    assert hooks_of_bases(cfg.filename) == {'PonderCostHook'}


def test_a_config_without_a_file():
    assert hooks_of_bases(Config(dict(custom_hooks=[])).filename) == set()


@pytest.fixture
def messages(monkeypatch):
    """What is said of a config's bases."""
    found = []
    monkeypatch.setattr(
        MMLogger, 'warning', lambda _, text: found.append(text) if 'base' in text else None
    )
    return found


@pytest.mark.parametrize(
    ('text', 'lost'),
    [
        (REPLACED, 'EMAHook, SyncNormHook, YOLOXModeSwitchHook'),
        (f"custom_hooks = [dict(type='EMAHook'), {OURS}]", 'SyncNormHook, YOLOXModeSwitchHook'),
    ],
)
def test_the_training_names_what_is_gone(text, lost, tmp_path, messages):
    cfg = config(tmp_path, YOLOX, text)
    kept = [hook for hook in cfg.custom_hooks if hook['type'] == 'EMAHook']
    train_tiny(tmp_path / 'work', PonderCostHook(), max_iters=1, more_hooks=kept, cfg=cfg)
    (message,) = messages
    assert f'are gone: {lost}. ' in message


def test_anytime_training_names_it_but_not_the_hook_it_replaces(tmp_path, messages):
    (tmp_path / 'base.py').write_text(f"custom_hooks = [dict(type='EMAHook'), {OURS}]")
    cfg = config(tmp_path, 'base.py', "custom_hooks = [dict(type='iterbackbone.AnytimeHook')]")
    train_tiny(tmp_path / 'work', AnytimeHook(measure_every=0), max_iters=1, cfg=cfg)
    (message,) = messages
    assert 'are gone: EMAHook. ' in message


def test_nothing_is_said_where_nothing_is_gone(tmp_path, messages):
    cfg = config(tmp_path, 'mmpretrain::convnext/convnext-tiny_32xb128_in1k.py', '')
    train_tiny(
        tmp_path / 'work', PonderCostHook(), max_iters=1, more_hooks=[dict(type='EMAHook')], cfg=cfg
    )
    assert messages == []
