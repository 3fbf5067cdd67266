"""What a checkpoint's own config says of its training images, without running a word of it."""

from __future__ import annotations

import shutil

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from iterbackbone.mm.fitting.images import trained_images

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


def text(root, more='', before=''):
    return (
        f'{before}train_dataloader = dict(batch_size=2, dataset={DATASET.format(root=root, more=more)})'
    )


def found(own, theirs):
    cfg = Config.fromstring(f"default_scope = 'mmpretrain'\n{own}", '.py')
    init_default_scope('mmpretrain')
    return trained_images({'meta': {'cfg': theirs}}, cfg)


def test_the_part_that_was_trained_on(root):
    assert len(found(text(root), text(root))) == 6
    assert len(found(text(root), text(root, ', indices=2'))) == 2
    assert len(found(text(root, ', indices=2'), text(root))) == 6  # the checkpoint's word counts
    wrapped = [
        f"train_dataloader = dict(dataset=dict(type='RepeatDataset', times=2, dataset={each}))"
        for each in (DATASET.format(root=root, more=', indices=2'), DATASET.format(root=root, more=''))
    ]
    assert len(found(*wrapped)) == 6
    assert len(found(*wrapped[::-1])) == 2


def test_absent_training_images_are_unknown(root):
    before = text(root)
    shutil.rmtree(root)
    assert found(before, before) == set()


def test_another_data_set_is_unknown(root, tmp_path):
    assert found(text(root), text(tmp_path / 'elsewhere')) == set()
    assert found(text(root), None) == found(text(root), 'not Python (') == set()


@pytest.mark.parametrize(
    'hostile',
    [
        "__import__('pathlib').Path({mark!r}).touch()\n",
        "train_dataloader = __import__('pathlib').Path({mark!r}).touch()\n",
        "train_dataloader = dict(dataset=dict(type='pathlib.Path.touch', self={mark!r}))\n",
        'train_dataloader = ' + '(' * 5000,
    ],
)
def test_nothing_in_it_is_run(root, tmp_path, hostile):
    mark = tmp_path / 'mark'
    found(text(root), text(root, before=hostile.replace('{mark!r}', repr(str(mark)))))
    assert not mark.exists()
