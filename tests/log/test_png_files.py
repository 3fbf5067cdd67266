"""Label maps as PNG files: names, parts, ranks."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from iterbackbone.log.png_files import PngFiles
from tests.support.log_ranks import LogRanks


def flat(value, dtype=np.uint8):
    return np.full((2, 3), value, dtype)


def names(path):
    return sorted(str(p.relative_to(path)) for p in path.rglob('*') if p.is_file())


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_names(tmp_path):
    files = PngFiles(tmp_path)
    paths = files.write(3, 'ADE_val_1', {'true_map': flat(255), 'predicted_map': flat(7)})
    assert paths == {
        'true_map': 'annotations/000003_ADE_val_1.png',
        'predicted_map': 'predictions/000003_ADE_val_1.png',
    }
    files.keep({3})
    assert names(tmp_path) == sorted(paths.values())
    assert (read(tmp_path / paths['true_map']) == flat(255)).all()
    assert (read(tmp_path / paths['predicted_map']) == flat(7)).all()
    files.keep({4})
    assert names(tmp_path) == []


def test_sixteen_bits(tmp_path):
    files = PngFiles(tmp_path)
    path = files.write(0, None, {'predicted_map': flat(846, np.uint16)})['predicted_map']
    assert path == 'predictions/000000.png'
    assert (read(tmp_path / path) == 846).all()


@pytest.mark.parametrize('name', ['../../etc/passwd', 'a b/ü:*?', 'x' * 300, '..', 12])
def test_names_are_safe_and_unique(tmp_path, name):
    files = PngFiles(tmp_path)
    paths = [files.write(i, name, {'predicted_map': flat(i)})['predicted_map'] for i in range(2)]
    assert len(set(paths)) == 2
    for i, path in enumerate(paths):
        assert (tmp_path / path).resolve().parent == (tmp_path / 'predictions').resolve()
        assert path.isascii()
        assert (read(tmp_path / path) == i).all()


@pytest.mark.parametrize(
    'order', [[[0, 2, 4], [1, 3, 0]], [[0], [0]], [[0, 1, 2, 3]], [[3, 1, 0], [2, 0, 4]]]
)
def test_ranks_write_their_own_and_drop_repeated_images(tmp_path, monkeypatch, order):
    log = LogRanks(monkeypatch, tmp_path / 'log', len(order))
    for rank, images in enumerate(order):
        for image in images:
            line = {'img_id': f'image_{image}'}
            log.write(rank, line, line, {'predicted_map': flat(image)}, index=image)
    path = log.publish({})
    images = max(map(max, order)) + 1
    lines = [json.loads(line) for line in (path / 'predictions.jsonl').read_text().splitlines()]
    assert [line['img_id'] for line in lines] == [f'image_{i}' for i in range(images)]
    for i, line in enumerate(lines):
        assert (read(path / line['predicted_map']) == i).all()
    assert not [name for name in names(path) if name.endswith('.part')]
    assert len(list((path / 'predictions').iterdir())) == images
