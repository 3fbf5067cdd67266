"""A video file at a rate that it can have; of a camera as long as what it shows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from iterbackbone.cli.demo import recording
from iterbackbone.cli.demo.recording import MEASURED, Recording, writable_rate
from iterbackbone.cli.demo.sources import Video
from iterbackbone.cli.demo.video import run_video
from tests.support.fake_predictor import FakePredictor
from tests.support.full_disk import largest_file

PAGE = np.zeros((48, 64, 3), np.uint8)


class Clock:
    """Seconds that pass as told."""

    def __init__(self, monkeypatch):
        self.now = 5.0
        monkeypatch.setattr(recording.time, 'perf_counter', lambda: self.now)


def read(path):
    """Rate and number of frames."""
    file = cv2.VideoCapture(str(path))
    return file.get(cv2.CAP_PROP_FPS), file.get(cv2.CAP_PROP_FRAME_COUNT)


@pytest.mark.parametrize(
    ('rate', 'wanted'),
    [
        (1 / 3, 0.333),
        (25.0, 25.0),
        (30000 / 1001, 29.97),
        (60000 / 1001, 59.94),
        (90.017, 90.02),
        (120000 / 1001, 119.88),
        (144.0033, 144.0),
        (999.99, 1000.0),
    ],
)
def test_rates_that_the_codec_can_express(rate, wanted, tmp_path):
    assert writable_rate(rate) == pytest.approx(wanted)
    file = Recording(tmp_path / 'a.mp4', rate)
    for _ in range(3):
        file.add(PAGE)
    file.close()
    assert read(tmp_path / 'a.mp4') == (pytest.approx(wanted, rel=1e-4), 3)


def test_a_file_that_cannot_be_written_names_the_rate(tmp_path):
    (tmp_path / 'a.mp4').mkdir()
    with pytest.raises(ValueError, match=r'a\.mp4 cannot be written at 25 frames per second'):
        Recording(tmp_path / 'a.mp4', 25.0).add(PAGE)


def test_a_full_disk_is_no_success(tmp_path):
    file = Recording(tmp_path / 'a.mp4', 25.0)
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    incomplete = pytest.raises(ValueError, match=r'/a\.mp4 cannot be completed: the disk may be full')
    with incomplete, largest_file(1000):
        for _ in range(5):
            file.add(noise)
        file.close()
    assert not list(tmp_path.iterdir())


def test_a_file_named_by_a_time_stamp(tmp_path, monkeypatch):
    """FFmpeg takes what precedes a colon for a protocol."""
    monkeypatch.chdir(tmp_path)
    file = Recording(recording.Path('10:30:00.mp4'), 5.0)
    file.add(PAGE)
    file.close()
    assert read(tmp_path / '10:30:00.mp4')[1] == 1


@pytest.mark.parametrize('later', [0.05, 0.25, 0.9])
def test_a_camera_keeps_to_the_clock(later, tmp_path, monkeypatch):
    """Four pages a second at first, then more or fewer."""
    clock = Clock(monkeypatch)
    file = Recording(tmp_path / 'a.mp4', 30.0, live=True)
    for seconds in [0.25] * MEASURED + [later] * 40:
        file.add(PAGE)
        clock.now += seconds
    file.close()
    assert file.rate == pytest.approx(4)
    rate, count = read(tmp_path / 'a.mp4')
    assert count / rate == pytest.approx(clock.now - 5.0, abs=1.0)


@pytest.mark.parametrize(('pages', 'rate'), [(1, 30.0), (3, 2.0)])
def test_a_camera_that_ends_at_once(pages, rate, tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    file = Recording(tmp_path / 'a.mp4', 30.0, live=True)
    for _ in range(pages):
        file.add(PAGE)
        clock.now += 0.5
    file.close()
    assert read(tmp_path / 'a.mp4') == (pytest.approx(rate), pages)


def test_a_cameras_frames_are_not_at_its_nominal_rate(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)

    class Camera:
        """30 frames per second, the newest of which is read."""

        left = 12

        def get(self, name):
            return 30.0 if name == cv2.CAP_PROP_FPS else -1.0

        def read(self):
            self.left -= 1
            clock.now += 0.5
            return self.left > 0, PAGE

    lines = list(run_video(Video(Camera(), PAGE, 'camera', True), FakePredictor(), tmp_path, None))
    assert lines[0] == f'{tmp_path}/camera_demo.mp4: 12 frames at 2 per second'
    assert read(tmp_path / 'camera_demo.mp4') == (pytest.approx(2), 12)
