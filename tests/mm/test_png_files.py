"""Label maps as PNG files: names, parts, ranks."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from iterbackbone.mm import evaluation_folder
from iterbackbone.mm.evaluation_folder import EvaluationFolder
from iterbackbone.mm.png_files import PngFiles


def flat(value, dtype=np.uint8):
    return np.full((2, 3), value, dtype)


def names(path):
    return sorted(str(p.relative_to(path)) for p in path.rglob('*') if p.is_file())


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_parts_until_published(tmp_path):
    files = PngFiles(tmp_path)
    paths = files.write(3, 'ADE_val_1', {'true_map': flat(255), 'predicted_map': flat(7)})
    assert paths == {
        'true_map': 'annotations/000003_ADE_val_1.png',
        'predicted_map': 'predictions/000003_ADE_val_1.png',
    }
    assert names(tmp_path) == [
        'annotations/000003_ADE_val_1.png.part',
        'predictions/000003_ADE_val_1.png.part',
    ]
    files.publish(4)
    assert names(tmp_path) == sorted(paths.values())
    assert (read(tmp_path / paths['true_map']) == flat(255)).all()
    assert (read(tmp_path / paths['predicted_map']) == flat(7)).all()


def test_sixteen_bits(tmp_path):
    files = PngFiles(tmp_path)
    path = files.write(0, None, {'predicted_map': flat(846, np.uint16)})['predicted_map']
    files.publish(1)
    assert path == 'predictions/000000.png'
    assert (read(tmp_path / path) == 846).all()


@pytest.mark.parametrize('name', ['../../etc/passwd', 'a b/ü:*?', 'x' * 300, '..', 12])
def test_names_are_safe_and_unique(tmp_path, name):
    files = PngFiles(tmp_path)
    paths = [files.write(i, name, {'predicted_map': flat(i)})['predicted_map'] for i in range(2)]
    files.publish(2)
    assert len(set(paths)) == 2
    for i, path in enumerate(paths):
        assert (tmp_path / path).resolve().parent == (tmp_path / 'predictions').resolve()
        assert path.isascii()
        assert (read(tmp_path / path) == i).all()


@pytest.mark.parametrize(('images', 'ranks'), [(5, 2), (1, 2), (4, 1)])
def test_ranks_write_their_own_and_drop_repeated_images(tmp_path, monkeypatch, images, ranks):
    def as_rank(rank):
        monkeypatch.setattr(evaluation_folder, 'get_rank', lambda: rank)
        monkeypatch.setattr(evaluation_folder, 'get_world_size', lambda: ranks)

    padded = [i % images for i in range(-(-images // ranks) * ranks)]
    folders = []
    for rank in range(ranks):
        as_rank(rank)
        folder = EvaluationFolder(tmp_path)
        for image in padded[rank::ranks]:
            line = {'img_id': f'image_{image}'}
            folder.write(line, line, {'predicted_map': flat(image)})
        folders.append(folder)
    assert all(name.endswith('.part') for name in names(tmp_path))
    for rank in reversed(range(ranks)):  # rank 0 last, as behind a barrier
        as_rank(rank)
        folders[rank].publish(images, {})
    lines = [json.loads(line) for line in (tmp_path / 'predictions.jsonl').read_text().splitlines()]
    assert [line['img_id'] for line in lines] == [f'image_{i}' for i in range(images)]
    for i, line in enumerate(lines):
        assert (read(tmp_path / line['predicted_map']) == i).all()
    assert not [name for name in names(tmp_path) if name.endswith('.part')]
    assert len(list((tmp_path / 'predictions').iterdir())) == images
