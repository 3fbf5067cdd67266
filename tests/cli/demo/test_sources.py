"""What SOURCE may be; wrong input is one line."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from iterbackbone.cli.demo.sources import open_source, read_picture


@pytest.fixture
def folder(tmp_path):
    for name in ('b.jpg', 'a.PNG'):
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / 'notes.txt').write_text('text')
    (tmp_path / 'text.jpg').write_text('text')
    (tmp_path / 'none.jpg').touch()
    (tmp_path / 'broken.mp4').write_bytes(b'\0\0\0\x20ftypisom' + bytes(500))
    (tmp_path / 'empty').mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ('source', 'names'),
    [
        ('b.jpg', ['b.jpg']),
        ('[ab].*', ['a.PNG', 'b.jpg']),
        ('*.jp*g', ['b.jpg', 'none.jpg', 'text.jpg']),
    ],
)
def test_pictures(folder, source, names):
    assert [path.name for path in open_source(str(folder / source))] == names


def test_a_folder_lists_its_pictures(folder):
    assert [p.name for p in open_source(str(folder))] == ['a.PNG', 'b.jpg', 'none.jpg', 'text.jpg']


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ('no.jpg', 'SOURCE must be a file, folder, glob or camera number, got '),
        ('*.webp', r'no picture \(.*\) is named '),
        ('empty', r'folder .*empty has no picture \(\.bmp, '),
        ('text.jpg', 'text.jpg is no picture that OpenCV can read'),
        ('none.jpg', 'none.jpg is no picture that OpenCV can read'),
        ('notes.txt', r'notes.txt is no picture \(.*\) and no video: no frame can be read'),
        ('broken.mp4', r'broken.mp4 is no picture \(.*\) and no video: no frame can be read'),
    ],
)
def test_wrong_input(folder, source, message, capfd):
    with pytest.raises(ValueError, match=message):
        open_source(str(folder / source))
    assert capfd.readouterr() == ('', '')


def test_no_source_is_not_the_current_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(ValueError, match=r"SOURCE must be .*, got ''"):
        open_source('')


def test_a_camera_that_is_not_there():
    with pytest.raises(ValueError, match='camera 987: no frame can be read'):
        open_source('987')


def test_pictures_are_turned_as_exif_says(tmp_path):
    from PIL import Image

    picture = Image.new('RGB', (20, 10))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / 'turned.jpg', exif=exif)
    assert read_picture(tmp_path / 'turned.jpg').shape == (20, 10, 3)
