"""The split is fixed, fair to each class, and the data set's own where it has one."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from iterbackbone.mm.new_data.folder import Box, Picture
from iterbackbone.mm.new_data.layouts import Dataset
from iterbackbone.mm.new_data.writing import split, write
from tests.support.full_disk import largest_file


def dataset(*counts, task='detection'):
    """So many pictures of each split, each with a box."""
    pictures = [
        Picture(Path(f'/data/{name}{number}.jpg'), name, [Box('ring', (1, 2, 3, 4))], (40, 30))
        for name, count in counts
        for number in range(count)
    ]
    return Dataset('COCO', task, ['ring'], pictures)


@pytest.mark.parametrize(
    ('counts', 'sizes', 'made'),
    [
        ([('train', 3), ('val', 2), ('test', 1)], dict(train=3, val=2, test=1), False),
        ([('train', 3), ('', 1), ('test', 2)], dict(train=4, val=2), False),
        ([('train', 10)], dict(train=8, val=2), True),
        ([('', 4)], dict(train=3, val=1), True),
        ([('val', 10)], dict(train=8, val=2), True),
        ([('test', 5), ('val', 5)], dict(train=8, val=2), True),
        ([('', 2)], dict(train=1, val=1), True),
    ],
)
def test_parts(counts, sizes, made):
    data = dataset(*counts)
    parts, made_here = split(data)
    assert ({name: len(pictures) for name, pictures in parts.items()}, made_here) == (sizes, made)
    assert split(data) == (parts, made)
    assert split(data._replace(pictures=data.pictures[::-1]))[0]['val'] == parts['val'] or not made
    files = [p.file for pictures in parts.values() for p in pictures]
    assert sorted(files) == sorted(p.file for p in data.pictures)


def test_each_class_is_held_out():
    pictures = [
        Picture(Path(f'/{name}/{number}.jpg'), '', [Box(name)])
        for name, count in (('a', 50), ('b', 10), ('c', 5))
        for number in range(count)
    ]
    parts, _ = split(Dataset('class folders', 'classification', ['a', 'b', 'c'], pictures))
    assert Counter(p.boxes[0].name for p in parts['val']) == dict(a=10, b=2, c=1)


def test_a_full_disk_is_named(tmp_path):
    data = dataset(('train', 2), ('val', 1))
    with pytest.raises(OSError, match=r": '.*/mine_data/val\.json'"), largest_file(0):
        write(tmp_path / 'mine_data', tmp_path, data, split(data)[0], '')


@pytest.mark.parametrize('counts', [[], [('', 1)]])
def test_too_little_is_an_error(counts):
    with pytest.raises(ValueError, match='too little that can be used'):
        split(dataset(*counts))


def test_pictures_without_boxes_cannot_train():
    empty = [Picture(Path(f'/{n}.jpg'), '', [], (40, 30)) for n in range(9)]
    with pytest.raises(ValueError, match='too little that can be used'):
        split(Dataset('YOLO', 'detection', [], empty))


def test_files(tmp_path):
    data = dataset(('train', 2), ('val', 1))
    write(tmp_path / 'boxes', Path('/data'), data, split(data)[0], '')
    content = json.loads((tmp_path / 'boxes/train.json').read_text())
    assert content['images'][1] == dict(id=1, file_name='train1.jpg', width=40, height=30)
    assert content['annotations'][1] == dict(
        id=2, image_id=1, category_id=0, bbox=[1, 2, 3, 4], area=12, iscrowd=0
    )
    assert content['categories'] == [dict(id=0, name='ring')]
    data = data._replace(task='classification')
    write(tmp_path / 'classes', Path('/data'), data, split(data)[0], '')
    assert (tmp_path / 'classes/train.txt').read_text() == 'train0.jpg 0\ntrain1.jpg 0\n'
