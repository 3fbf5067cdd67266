"""Mean intersection over union of folders of label maps: by hand, paired, and what is refused."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image

from experiments.voc_models import mean_iou


def write(folder, maps):
    folder.mkdir()
    for i, pixels in enumerate(maps):
        Image.fromarray(np.array(pixels, dtype=np.uint8)).save(folder / f'{i}.png')


def test_two_segmentors(tmp_path, monkeypatch):
    write(tmp_path / 'true', [[[0, 0, 1, 255]], [[0, 1, 1, 1]]])
    write(tmp_path / 'right', [[[0, 0, 1, 1]], [[0, 1, 1, 1]]])
    write(tmp_path / 'half', [[[0, 1, 1, 1]], [[0, 1, 1, 0]]])  # 2 of 4 and 3 of 5 pixels
    words = ['mean_iou.py', *(str(tmp_path / n) for n in ('true', 'right', 'half'))]
    monkeypatch.setattr(sys, 'argv', [*words, '--out', str(tmp_path / 'out.json')])
    mean_iou.main()
    report = json.loads((tmp_path / 'out.json').read_text())
    right, half = report['rows']
    assert report['images'] == 2
    assert (right['mean_iou'], right['interval'], right['gain']) == (100, [100, 100], 0)
    assert (half['predicted'], half['mean_iou'], half['gain']) == ('half', 55.0, -45.0)
    either = [(1 / 2 + 1 / 2) / 2, (1 / 2 + 2 / 3) / 2]  # one image drawn twice, the other never
    assert half['interval'] == pytest.approx([100 * x for x in either], abs=0.01)
    assert half['gain_interval'] == pytest.approx([100 * x - 100 for x in either], abs=0.01)


def test_other_images_are_refused(tmp_path):
    for name, count in (('one', 2), ('other', 1), ('empty', 0)):
        write(tmp_path / name, [[[0]]] * count)
    with pytest.raises(SystemExit, match=r'other must have the \.png files of .*one'):
        mean_iou.overlaps(tmp_path / 'one', [tmp_path / 'one', tmp_path / 'other'])
    with pytest.raises(SystemExit, match='at least one'):
        mean_iou.overlaps(tmp_path / 'one', [tmp_path / 'empty'])
