"""Class folders become arrays; what is no image and what is hidden does not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from experiments.pack_images import pack


@pytest.fixture
def folder(tmp_path):
    """Two classes and two parts, with what systems leave behind."""
    for part, value in (('train', 100), ('val', 200)):
        for k, name in enumerate(('ant', 'bee')):
            (tmp_path / 'in' / part / name).mkdir(parents=True)
            image = Image.new('RGB', (4, 3), (value + k, 0, 0))
            image.save(tmp_path / 'in' / part / name / 'one.PNG')
            (tmp_path / 'in' / part / name / '.hidden.png').touch()
            (tmp_path / 'in' / part / name / 'words.txt').touch()
        (tmp_path / 'in' / part / '.cache').mkdir()
        (tmp_path / 'in' / part / 'a_list.txt').touch()
    (tmp_path / 'in/.git').mkdir()
    return tmp_path / 'in'


def test_images_and_labels(folder):
    pack(folder, folder.parent / 'out')
    for part, value in (('train', 100), ('val', 200)):
        images = np.load(folder.parent / f'out/{part}.npy')
        assert (images.dtype, images.shape) == (np.uint8, (2, 3, 4, 3))
        assert images[:, 0, 0, 0].tolist() == [value, value + 1]
        assert np.load(folder.parent / f'out/{part}_labels.npy').tolist() == [0, 1]
    assert len(list((folder.parent / 'out').iterdir())) == 4


def test_the_first_classes_only(folder):
    pack(folder, folder.parent / 'out', 1)
    assert np.load(folder.parent / 'out/val_labels.npy').tolist() == [0]
    assert np.load(folder.parent / 'out/val.npy')[0, 0, 0, 0] == 200


def test_a_class_that_training_does_not_have(folder):
    (folder / 'val/cat').mkdir()
    with pytest.raises(ValueError, match=r"val must have the classes of train, got \['cat'\]"):
        pack(folder, folder.parent / 'out')
