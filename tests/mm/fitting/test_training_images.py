"""What the config says of the images that the network was trained on."""

from __future__ import annotations

import shutil

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from iterbackbone.mm.fitting.command import _check_unseen, _loaders
from iterbackbone.mm.fitting.images import FitOptions, ImageSpec, image_loader, leaves, trained_images

DATASET = """dict(
    type='CustomDataset', data_prefix='{root}', metainfo=dict(classes=('a', 'b')),
    pipeline=[dict(type='LoadImageFromFile')]{more})"""


@pytest.fixture
def root(tmp_path):
    for name in ('a', 'b'):
        (tmp_path / 'images' / name).mkdir(parents=True)
        for i in range(3):
            (tmp_path / 'images' / name / f'{i}.png').touch()
    return tmp_path / 'images'


def config(root, more='', wrapper='{}', val=None):
    init_default_scope('mmpretrain')
    train, other = (DATASET.format(root=r, more=m) for r, m in ((root, more), (val or root, '')))
    return Config.fromstring(
        f'train_dataloader = dict(batch_size=2, dataset={wrapper.format(train)})\n'
        f'val_dataloader = dict(batch_size=1, dataset={other})',
        '.py',
    )


def content(cfg):
    """Of a checkpoint of the config's training."""
    return {'meta': {'cfg': cfg.pretty_text}}


WRAPPERS = ['{}', "dict(type='RepeatDataset', times=2, dataset={})"]


@pytest.mark.parametrize('wrapper', WRAPPERS, ids=['plain', 'repeated'])
def test_the_part_that_was_trained_on(root, wrapper):
    cfg, whole = config(root, ', indices=2', wrapper), config(root, wrapper=wrapper)
    assert len(trained_images(whole, content(whole))) == 6
    assert len(trained_images(cfg, content(cfg))) == 2


@pytest.mark.parametrize('more', ['', ', indices=20', ', indices=[2]'])
def test_indices_that_the_checkpoint_does_not_have_do_not_count(root, more):
    cfg = config(root, ', indices=2')
    assert len(trained_images(cfg, content(config(root, more)))) == 6
    other = config(root)
    other.val_dataloader.dataset.indices = 2  # of other images
    assert len(trained_images(cfg, content(other))) == 6
    assert len(trained_images(cfg, {'meta': None})) == len(trained_images(cfg, {})) == 6


def test_indices_over_several_lines(root):
    cfg = config(root, f', indices={[0, 1] * 30}')
    assert len(trained_images(cfg, content(cfg))) == 2
    assert len(trained_images(config(root, f', indices={[0, 1]}'), content(cfg))) == 6


def test_the_training_set_of_a_mixture(root):
    cfg = config(root, ', indices=2', "dict(type='MultiImageMixDataset', dataset={}, pipeline=[])")
    assert [leaf['indices'] for leaf in leaves(cfg.train_dataloader.dataset, mixtures=True)] == [2]
    with pytest.raises(ValueError, match='images of a MultiImageMixDataset are mixtures'):
        list(leaves(cfg.train_dataloader.dataset))


def test_absent_training_images_are_unknown(root, tmp_path):
    (tmp_path / 'empty/a').mkdir(parents=True)
    for folder in ('elsewhere', 'empty'):
        cfg = config(tmp_path / folder)
        assert trained_images(cfg, content(cfg)) == trained_images(Config({}), {}) == set()


def test_a_slice_of_the_training_set_counts_all(root):
    loader = image_loader(config(root, ', indices=2'), ImageSpec.parse('train[2:]'))
    assert len(loader.dataset) == 4


def check(cfg, fit, calibrate, trained=None):
    options = FitOptions(ImageSpec.parse(fit), ImageSpec.parse(calibrate))
    _check_unseen(cfg, content(trained or cfg), _loaders(cfg, options), options)


def test_only_images_that_were_not_trained_on_are_taken(root, tmp_path):
    check(config(root, ', indices=2'), 'train[2:4]', 'train[4:]')
    for fit, calibrate in (('train[1:4]', 'train[4:]'), ('val[1:4]', 'val[4:]')):
        with pytest.raises(ValueError, match=r'1 of them are in train_dataloader, .*--cfg-options'):
            check(config(root, ', indices=2'), fit, calibrate)
    for fit, calibrate in (('train[2:4]', 'train[4:]'), ('val[2:4]', 'val[4:]')):
        with pytest.raises(ValueError, match=r'4 of them are in train_dataloader'):
            check(config(root, ', indices=2'), fit, calibrate, trained=config(root))
    val = shutil.copytree(root, tmp_path / 'val')
    check(config(root, val=val), 'val[:3]', 'val[3:]')
    check(config(tmp_path / 'elsewhere', val=val), 'val[:3]', 'val[3:]')


def test_training_images_without_files_are_refused(root, monkeypatch):
    monkeypatch.setattr('iterbackbone.mm.fitting.command.trained_images', lambda *_: set())
    with pytest.raises(ValueError, match='unknown how many of them are in train_dataloader'):
        check(config(root), 'train[:2]', 'val[3:]')
