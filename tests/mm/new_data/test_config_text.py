"""Classes, batch and schedule fit the data."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from iterbackbone.__main__ import config_path
from iterbackbone.cli.demo.options import CONFIG
from iterbackbone.mm.new_data.layouts import Dataset
from iterbackbone.mm.new_data.writing import text_of_changes, with_classes


@pytest.fixture(scope='module')
def base():
    return config_path(CONFIG)


@pytest.fixture(scope='module')
def old(base):
    return Config.fromfile(base)


@pytest.fixture
def changed(base, old, tmp_path):
    """The config for so many training pictures."""

    def make(**sizes):
        data = Dataset('VOC', 'detection', ['ring', "baker's"], [])
        text = text_of_changes(old, Path('/data'), 'mine_data', data, sizes)
        (tmp_path / 'mine.py').write_text(f'_base_ = {str(base)!r}\n{text}')
        return Config.fromfile(tmp_path / 'mine.py')

    return make


def test_as_many_pictures_as_the_base_are_trained_as_in_the_base(changed, old):
    new = changed(train=2000, val=500)
    assert new.train_dataloader.batch_size == old.train_dataloader.batch_size == 32
    assert new.train_cfg.max_epochs == old.train_cfg.max_epochs == 17
    assert new.optim_wrapper == old.optim_wrapper
    assert new.custom_hooks == old.custom_hooks
    assert new.param_scheduler[0].end == old.param_scheduler[0].end == 100
    assert new.train_dataloader.dataset.pipeline == old.train_dataloader.dataset.pipeline


@pytest.mark.parametrize(
    ('count', 'batch', 'epochs'), [(1, 1, 40), (2, 2, 40), (24, 6, 40), (100_000, 32, 10)]
)
def test_few_and_many_pictures(count, batch, epochs, changed):
    cfg = changed(train=count, val=1)
    steps = count // batch
    assert (cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs) == (batch, epochs)
    assert cfg.default_hooks.logger.interval == min(steps, 20)
    assert 'end' not in cfg.param_scheduler[1]  # mmengine's: that of the training
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(0.001 * (batch / 32) ** 0.5, rel=0.05)


def test_data_and_classes(changed):
    cfg = changed(train=9, val=2, test=1)
    assert cfg.model.bbox_head.num_classes == 2
    for part in ('train', 'val', 'test'):
        data = cfg[f'{part}_dataloader'].dataset
        assert (data.type, data.data_root, data.metainfo.classes) == (
            'CocoDataset',
            '/data',
            ('ring', "baker's"),
        )
        assert data.ann_file == f'{Path(cfg.filename).parent}/mine_data/{part}.json'
        if part != 'train':
            assert cfg[f'{part}_evaluator'].ann_file == data.ann_file
            assert data.test_mode


def test_without_test_pictures_the_others_test(changed):
    cfg = changed(train=9, val=2)
    assert cfg.test_dataloader.dataset == cfg.val_dataloader.dataset
    assert cfg.test_evaluator == cfg.val_evaluator


def test_classes_of_any_model():
    heads = [dict(type='A', num_classes=80, loss=dict(num_classes=80)), dict(type='B', num_classes=80)]
    model = dict(backbone=dict(depth=50), roi_head=dict(bbox_head=heads, mask=[1, 2]), head=dict(a=1))
    assert with_classes(model, 3) == dict(
        roi_head=dict(
            bbox_head=[
                dict(type='A', num_classes=3, loss=dict(num_classes=3)),
                dict(type='B', num_classes=3),
            ]
        )
    )


def test_a_base_with_a_plain_average(base, tmp_path):
    """At a small fixed momentum a short training would evaluate its start."""
    plain = tmp_path / 'plain.py'
    hooks = "[dict(type='EMAHook', momentum=0.0001), dict(type='EMAHook', ema_type='ExpMomentumEMA')]"
    plain.write_text(f'_base_ = {str(base)!r}\ncustom_hooks = {hooks}\n')
    data = Dataset('VOC', 'detection', ['ring'], [])
    text = text_of_changes(
        Config.fromfile(plain), Path('/data'), 'mine_data', data, dict(train=9, val=2)
    )
    (tmp_path / 'mine.py').write_text(f'_base_ = {str(plain)!r}\n{text}')
    first, second = Config.fromfile(tmp_path / 'mine.py').custom_hooks
    assert first == dict(type='EMAHook', momentum=0.0001, ema_type='MomentumAnnealingEMA', gamma=10)
    assert second == dict(type='EMAHook', ema_type='ExpMomentumEMA')
