"""What SOURCE may be; wrong input is one line."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from iterbackbone.cli.demo.sources import open_source, read_picture
from tests.support.pictures import write_huge


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


def test_any_name_in_utf8_is_taken(tmp_path):
    path = tmp_path / '\u30b9\u3000\u202f\U0001f469\u200d\U0001f52c.png'
    Image.new('RGB', (8, 8)).save(path)
    assert open_source(str(tmp_path)) == [path]


def test_a_folder_lists_its_pictures(folder):
    assert [p.name for p in open_source(str(folder))] == ['a.PNG', 'b.jpg', 'none.jpg', 'text.jpg']


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ('no.jpg', r'SOURCE must be a picture \(\.bmp, .*number of a camera, got .*/no\.jpg'),
        ('*.webp', r'SOURCE must be a picture \(.* got .*/\*\.webp'),
        ('empty', r'SOURCE must be a picture \(.* got .*/empty'),
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
    with pytest.raises(ValueError, match=r"SOURCE must be .*, got '9999999999'"):
        open_source('9' * 10)


def test_a_tiff_that_opencv_cannot_read_is_said_once(tmp_path, capfd):
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / 'a.tif')
    cv2.setLogLevel(3)  # as at the start
    (path,) = open_source(str(tmp_path / 'a.tif'))
    with pytest.raises(ValueError, match=r'a\.tif is no picture that OpenCV can read'):
        read_picture(path)
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('kind', ['jpg', 'png', 'tif'])
def test_pictures_are_turned_as_exif_says(kind, tmp_path):
    path = tmp_path / f'turned.{kind}'
    picture = Image.new('RGB', (20, 10), 'blue')
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(path, exif=exif)
    found = read_picture(path)
    assert found.shape == (20, 10, 3)
    assert found[5, 5, 0] > 200  # BGR
    assert found[5, 5, 2] < 50


def test_pictures_that_opencv_cannot_read(folder):
    write_huge(folder / 'huge.bmp')
    (folder / 'broken.webp').write_bytes(b'RIFF\0\0\0\0WEBPVP8 ' + bytes(40))
    for name in ('huge.bmp', 'broken.webp', 'text.jpg', 'none.jpg'):
        with pytest.raises(ValueError, match=f'{name} is no picture that OpenCV can read'):
            read_picture(folder / name)


def test_a_name_of_digits_is_no_camera_where_it_exists(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / '2024').mkdir()
    cv2.imwrite('2024/a.png', np.zeros((8, 8, 3), np.uint8))
    assert [path.name for path in open_source('2024')] == ['a.png']
    clip('clip.mp4').rename('7')
    assert (open_source('7').name, open_source('7').live) == ('7', False)


def test_a_video_named_by_a_time_stamp(tmp_path, monkeypatch):
    """FFmpeg takes what precedes a colon for a protocol."""
    monkeypatch.chdir(tmp_path)
    clip('clip.mp4').rename('2026-11-27T10:30:00.mp4')
    video = open_source('2026-11-27T10:30:00.mp4')
    assert (video.name, video.length) == ('2026-11-27T10:30:00', 3)


@pytest.mark.skipif(sys.platform != 'linux', reason='names are bytes on Linux')
def test_a_video_whose_name_is_not_utf8(tmp_path):
    """OpenCV would crash."""
    clip(str(tmp_path / 'a.mp4')).rename(tmp_path / 'a\udcff.mp4')
    with pytest.raises(ValueError, match=r"must be UTF-8, got '.*/a\\udcff\.mp4'"):
        open_source(str(tmp_path / 'a\udcff.mp4'))


@pytest.mark.skipif(sys.platform != 'linux', reason='names are bytes on Linux')
def test_a_picture_whose_name_is_not_utf8(tmp_path):
    """No table could name it; its folder's others are read."""
    for name in ('a\udcff.png', 'b.png'):
        Image.new('RGB', (8, 8)).save(tmp_path / name)
    broken, fine = sorted(open_source(str(tmp_path)), key=lambda path: path.name == 'b.png')
    assert read_picture(fine).shape == (8, 8, 3)
    with pytest.raises(ValueError, match=r"must be UTF-8, got '.*/a\\udcff\.png'"):
        read_picture(broken)


def clip(name):
    writer = cv2.VideoWriter(name, cv2.VideoWriter_fourcc(*'mp4v'), 5, (32, 32))
    for _ in range(3):
        writer.write(np.zeros((32, 32, 3), np.uint8))
    writer.release()
    return Path(name)
