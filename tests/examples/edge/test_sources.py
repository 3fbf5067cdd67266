"""Which sources are videos, and how their frames and pictures are called."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from images import UserError
from sources import Frame, Pictures, frames


def clip(name, codec='mp4v'):
    writer = cv2.VideoWriter(name, cv2.VideoWriter_fourcc(*codec), 5, (32, 32))
    for _ in range(3):
        writer.write(np.zeros((32, 32, 3), np.uint8))
    writer.release()


@pytest.mark.parametrize('name', ['clip.wmv', 'clip.mpg', '2024', '2026-11-27T10:30:00.mp4', '10:30'])
def test_a_file_that_is_not_named_as_an_image_is_a_video(name, tmp_path, monkeypatch):
    """FFmpeg would take what precedes a colon for a protocol."""
    monkeypatch.chdir(tmp_path)
    clip('clip.mp4')
    Path('clip.mp4').rename(name)
    found, total = frames([Path(name)], None, None)
    assert [frame.read().shape for frame in found] == [(32, 32, 3)] * 3
    assert total is None


def test_a_number_too_large_for_a_camera_is_a_name():
    with pytest.raises(UserError, match='no such file or folder: 9999999999'):
        frames([Path('9999999999')], None, None)


def test_pictures_of_a_video_with_dots_in_its_name(tmp_path):
    clip(str(tmp_path / 'holiday.2024.avi'), 'MJPG')
    found, _ = frames([tmp_path / 'holiday.2024.avi'], None, None)
    pictures = Pictures(tmp_path / 'out')
    names = [pictures.path(frame).name for frame in found]
    assert names == [f'holiday.2024-00000{k}.png' for k in (1, 2, 3)]


def test_names_that_meet_are_numbered(tmp_path):
    pictures = Pictures(tmp_path / 'out')
    stems = ['a', 'a-2', 'a', 'a', 'a-2', 'b']
    names = [pictures.path(Frame(stem, stem, None)).stem for stem in stems]
    assert names == ['a', 'a-2', 'a-3', 'a-4', 'a-2-2', 'b']


def test_many_of_one_name_take_no_search(tmp_path):
    pictures = Pictures(tmp_path / 'out')
    for _ in range(20_000):  # minutes, were each number tried again
        path = pictures.path(Frame('a.jpg', 'a', None))
    assert path.name == 'a-20000.png'
