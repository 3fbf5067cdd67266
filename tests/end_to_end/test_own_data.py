"""A folder of one's own, from `new --data` to a training and a test by the toolbox's own tools."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from iterbackbone.__main__ import config_path, main, tool_path
from iterbackbone.cli.commands import CLASSIFIER
from iterbackbone.cli.demo.options import CONFIG
from iterbackbone.mm.new_data.command import write_data_config
from tests.mm.new_data.test_command import dirty
from tests.support.openmmlab import read_log
from tests.support.tool_runs import PLAIN, losses, run

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
PARTS = {'detection': config_path(CONFIG), 'classification': config_path(CLASSIFIER)}
SMALL = ['train_cfg.max_epochs=1', 'param_scheduler=[]', 'train_dataloader.batch_size=2']
SIDE = [
    f'train_dataloader.dataset.pipeline.{step}' for step in ('2.scale=(128,96)', '3.crop_size=(96,96)')
] + ['val_dataloader.dataset.pipeline.1.scale=(128,96)']
SIDE_CLASSES = [
    'train_dataloader.dataset.pipeline.1.scale=64',
    'val_dataloader.dataset.pipeline.1.scale=64',
    'val_dataloader.dataset.pipeline.2.crop_size=64',
]


def trained(data, tmp_path, toolbox, options):
    """The evaluation's log after an epoch."""
    write_data_config(tmp_path / 'mine.py', data, None, PARTS, {})
    work = tmp_path / 'work'
    start = [tool_path(toolbox, 'train'), tmp_path / 'mine.py', '--work-dir', work]
    run([*start, '--cfg-options', *PLAIN, *SMALL, *options])
    assert len(losses(work)) >= 1
    (folder,) = work.glob('*/iterations/val_epoch_1')
    return read_log(folder)


def test_the_page_makes_its_configs(shapes_root, tmp_path, monkeypatch):
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/shapes').symlink_to(shapes_root)
    monkeypatch.chdir(tmp_path)
    lines = (ROOT / 'docs/own-data.md').read_text().splitlines()
    commands = [line for line in lines if line.startswith('iterbackbone new')]
    for command in commands:
        monkeypatch.setattr(sys, 'argv', command.split())
        main()
    names = [command.split()[2] for command in commands]
    assert names == ['boxes', 'coco', 'yolo', 'kinds']
    made = {f'{name}{suffix}' for name in names for suffix in ('.py', '_data')}
    assert {path.name for path in tmp_path.glob('*')} == {'data', *made}
    for command in [line for line in lines if line.startswith('iterbackbone train')]:
        assert (tmp_path / command.split()[2]).is_file()
    steps = Config.fromfile('boxes.py').train_dataloader.dataset.pipeline
    assert [step.type for step in steps[2:4]] == ['RandomResize', 'RandomCrop']  # whose size it changes


def test_yolo_trains(shapes_root, tmp_path):
    options = [*SIDE, 'train_dataloader.dataset.indices=4']
    records, _, meta = trained(shapes_root / 'yolo', tmp_path, 'mmdet', options)
    assert (len(records), meta['task'], len(meta['classes'])) == (5, 'detection', 6)


def test_bad_annotations_do_not_stop_a_training(tmp_path):
    records, _, _ = trained(dirty(tmp_path / 'data'), tmp_path, 'mmdet', SIDE)
    (val,) = json.loads((tmp_path / 'mine_data/val.json').read_text())['images']
    assert [(r['width'], r['height']) for r in records] == [(val['width'], val['height'])]


def test_class_folders_train(shapes_root, tmp_path):
    data = shapes_root / 'classification'
    records, _, meta = trained(data, tmp_path, 'mmpretrain', SIDE_CLASSES)
    assert meta['task'] == 'classification'
    assert len(records) == len(list(data.glob('val/*/*.png')))
