"""Golden: canvases made of pictures whose class is their colour."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from experiments.mosaics.dataset import CELL, PARTS, MosaicDataset

PER_CLASS = 100
BORDER = 255  # what lies outside the central square


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Two classes; a picture's red is its place, its green its class, and sizes differ."""
    root = tmp_path_factory.mktemp('mosaics')
    for label in range(2):
        (root / 'train' / f'class{label}').mkdir(parents=True)
        for place in range(PER_CLASS):
            short, long = 64 + place % 7, 90 + place % 7
            shape = (short, long) if place % 2 else (long, short)
            pixels = np.full((*shape, 3), BORDER, np.uint8)
            top, left = ((side - short) // 2 for side in shape)
            pixels[top : top + short, left : left + short] = (place, 100 * label, 0)
            Image.fromarray(pixels).save(root / 'train' / f'class{label}' / f'{place:03d}.png')
    return str(root)


def canvases(folder, part, **options):
    data = MosaicDataset(folder, part, 12, classes=2, size=64, tiles=(64, 32, 16), **options)
    return [data[i] for i in range(12)]


def test_pictures_of_any_size_are_taken_as_central_squares(folder):
    for canvas in canvases(folder, 'test'):
        assert canvas['inputs'][2].max() < BORDER / 10  # the filter reaches a pixel beyond


def test_every_cell_has_the_class_of_the_picture_in_it(folder):
    for canvas in canvases(folder, 'train'):
        sample = canvas['data_samples']
        middle = canvas['inputs'][1, CELL // 2 :: CELL, CELL // 2 :: CELL]
        assert (sample.gt_sem_seg.data[0] == (middle > 50)).all()
        assert sample.ori_shape == (4, 4)
        colours = canvas['inputs'][:, CELL // 2 :: CELL, CELL // 2 :: CELL].flatten(1).T
        assert len({tuple(c.tolist()) for c in colours}) <= (64 // sample.tile) ** 2


def test_parts_share_no_picture(folder):
    seen = {part: {c['inputs'][0, 20, 20].item() for c in canvases(folder, part)} for part in PARTS}
    assert max(seen['train']) < 80 <= min(seen['fit']) <= max(seen['fit']) < 87
    assert 87 <= min(seen['calibrate']) <= max(seen['calibrate']) < 90 <= min(seen['test'])


def test_pools_share_no_picture(folder):
    of_pool = {}
    for canvas in canvases(folder, 'test', pool=10):
        sample = canvas['data_samples']
        cells = canvas['inputs'][:2, CELL // 2 :: CELL, CELL // 2 :: CELL].flatten(1).T.tolist()
        of_pool.setdefault(sample.pool, set()).update(map(tuple, cells))
    assert len(of_pool) == 2
    assert not set.intersection(*of_pool.values())


@pytest.mark.parametrize(('key', 'options'), [('part', {}), ('tiles', {'size': 96})])
def test_bad_options_are_named(folder, key, options):
    with pytest.raises(ValueError, match=f'^{key} must'):
        MosaicDataset(folder, 'all' if key == 'part' else 'test', 1, tiles=(64,), **options)
