"""Boxes lie inside the pictures as training sees them; what is broken is left out and counted."""

from __future__ import annotations

import mmcv
import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.support.own_data import coco_file, found, picture

SIZE = (40, 30)


@pytest.mark.parametrize(
    ('box', 'kind', 'left'),
    [
        ((2, 3, 10, 12), None, (2, 3, 10, 12)),
        ((-1, 3, 10, 12), None, (0, 3, 9, 12)),  # counted from another corner
        ((30, 3, 15, 12), 'box reaches outside the picture, cut', (30, 3, 10, 12)),
        ((-5, -5, 100, 100), 'box reaches outside the picture, cut', (0, 0, 40, 30)),
        ((50, 3, 10, 12), 'box outside the picture, left out', None),
        ((-20, 3, 20, 12), 'box outside the picture, left out', None),
        ((2, 3, 0, 12), 'box without area, left out', None),
        ((2, 3, 10, 0.4), 'box without area, left out', None),
        ((2, 3, -10, 12), 'box without area, left out', None),
        ((2, 3, float('nan'), 12), 'broken box, left out', None),
        ((float('inf'), 3, 5, 12), 'broken box, left out', None),
    ],
)
def test_a_box(box, kind, left, tmp_path):
    picture(tmp_path / 'a.png')
    coco_file(tmp_path / 'x.json', [(1, 'a.png', SIZE)], [(1, 0, (1, 1, 5, 5)), (1, 0, box)], ['ring'])
    dataset, wrong = found(tmp_path)
    assert [b.xywh for b in dataset.pictures[0].boxes[1:]] == ([left] if left else [])
    assert list(wrong) == ([kind] if kind else [])
    if kind:
        assert wrong[kind][0].startswith('a.png: ring [')


def broken(path, content):
    if content == 'truncated':
        whole = picture(path, (400, 300)).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    else:
        path.write_bytes(content)


@pytest.mark.parametrize('suffix', ['jpg', 'png'])
@pytest.mark.parametrize('content', [b'', b'text', 'truncated', b'GIF89a', b'\x89PNG\r\n\x1a\n'])
def test_a_broken_picture(content, suffix, tmp_path):
    picture(tmp_path / 'a/good.png')
    picture(tmp_path / 'b/good.png')
    broken(tmp_path / f'b/bad.{suffix}', content)
    dataset, wrong = found(tmp_path)
    assert [p.file.name for p in dataset.pictures] == ['good.png'] * 2
    assert wrong == {'picture unreadable, left out': [str(tmp_path / f'b/bad.{suffix}')]}


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('stated', ['stored', 'shown', None])
def test_boxes_fit_the_turned_picture(orientation, stated, tmp_path):
    stored = Image.new('RGB', (80, 48))
    box = (8, 4, 30, 12)
    ImageDraw.Draw(stored).rectangle((8, 4, 37, 15), fill='white')
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / 'a.png', exif=exif)
    seen = mmcv.imread(tmp_path / 'a.png')[..., 0] > 0  # as training does
    ys, xs = np.nonzero(seen)
    shown = (int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1)
    size = {'stored': (80, 48), 'shown': seen.shape[::-1], None: None}[stated]
    sideways = orientation >= 5
    given = box if stated == 'stored' and sideways else shown  # which a tool drew that states so
    coco_file(tmp_path / 'x.json', [(1, 'a.png', size)], [(1, 0, given)], ['ring'])
    dataset, wrong = found(tmp_path)
    (only,) = dataset.pictures
    assert only.size == seen.shape[::-1]
    assert [b.xywh for b in only.boxes] == [shown]
    how = 'boxes turned with it' if stated == 'stored' and sideways else 'boxes taken as it is shown'
    assert wrong == ({} if orientation == 1 else {f'picture turned by EXIF, {how}': ['a.png']})


def test_the_size_of_the_picture_counts(tmp_path):
    picture(tmp_path / 'a.png')
    picture(tmp_path / 'b.png')
    box = (2, 3, 10, 12)
    images = [(1, 'a.png', (80, 60)), (2, 'b.png', (0, 0))]
    coco_file(tmp_path / 'x.json', images, [(1, 0, box), (2, 0, box)], ['ring'])
    dataset, wrong = found(tmp_path)
    assert [p.size for p in dataset.pictures] == [SIZE, SIZE]
    assert wrong == {
        'stated size is not that of the picture, which counts': [
            'a.png: (80, 60), (40, 30)',
            'b.png: (0, 0), (40, 30)',
        ]
    }
