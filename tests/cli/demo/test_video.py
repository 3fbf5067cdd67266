"""Videos keep their rate, cameras the clock; the strip shows the compute."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import ImageDraw

from iterbackbone.cli.demo import video
from iterbackbone.cli.demo.sources import open_source
from iterbackbone.cli.demo.video import STRIP, draw_share, empty_strip, recording, run_video
from tests.support.fake_predictor import FakePredictor
from tests.support.full_disk import largest_file

PAGE = np.zeros((48, 64, 3), np.uint8)


@pytest.fixture(scope='module')
def video_path(tmp_path_factory):
    """Ten seconds at 12 frames per second that grow brighter."""
    path = tmp_path_factory.mktemp('video') / 'walk.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 12, (65, 48))
    for i in range(120):
        writer.write(np.full((48, 65, 3), 2 * i, np.uint8))
    writer.release()
    return path


def test_a_video_keeps_its_rate_and_length(video_path, tmp_path):
    predictor = FakePredictor()
    lines = list(run_video(open_source(str(video_path)), predictor, tmp_path, False))
    out = cv2.VideoCapture(str(tmp_path / 'walk_demo.mp4'))
    assert out.get(cv2.CAP_PROP_FPS) == pytest.approx(12)
    assert out.get(cv2.CAP_PROP_FRAME_COUNT) == 120
    out.set(cv2.CAP_PROP_POS_FRAMES, 119)
    _, last = out.read()
    assert last.shape[0] % 2 == last.shape[1] % 2 == 0
    blue = last[-STRIP:, :, 0].astype(int) - last[-STRIP:, :, 2] > 100
    heights = blue.sum(axis=0)
    assert heights[60] < heights[last.shape[1] // 2] < heights[-20]
    assert lines[0] == f'{tmp_path}/walk_demo.mp4: 120 frames at 12 per second'
    assert lines[2].startswith('frames per second: 100.0 adaptive, 25.0 at full depth')
    assert sum(predictor.calls) == 1 + 20


def test_a_video_that_ends_early_is_said(video_path, tmp_path):
    source = open_source(str(video_path))._replace(first=np.zeros((48, 64, 3), np.uint8))
    source.capture.set(cv2.CAP_PROP_POS_FRAMES, 100)
    lines = list(run_video(source, FakePredictor(), tmp_path / 'new', False))
    assert lines[0] == '21 of the 120 frames were read'


def test_ctrl_c_keeps_what_was_written(video_path, tmp_path):
    class Interrupted(FakePredictor):
        def predict(self, bgr, full_depth=False):
            if len(self.calls) == 30:
                raise KeyboardInterrupt
            return super().predict(bgr, full_depth)

    lines = list(run_video(open_source(str(video_path)), Interrupted(), tmp_path, False))
    assert lines[0].endswith(' of the 120 frames were read')
    assert cv2.VideoCapture(str(tmp_path / 'walk_demo.mp4')).read()[0]


def test_a_frame_draws_its_own_part_of_the_strip_only(video_path, tmp_path, monkeypatch):
    drawn, rectangle = [], ImageDraw.ImageDraw.rectangle
    monkeypatch.setattr(
        ImageDraw.ImageDraw, 'rectangle', lambda *args: drawn.append(args) or rectangle(*args)
    )
    list(run_video(open_source(str(video_path)), FakePredictor(), tmp_path, False))
    assert len(drawn) < 120 * 10  # bars of the panels, and one of the strip


def drawn_strip(shares, places, width):
    strip = empty_strip(width)
    for count in range(1, len(shares) + 1):
        draw_share(strip, shares[:count], places)
    return strip


def test_the_strip_of_a_camera_starts_over():
    shares = [0.1] * 500 + [0.9] * 300
    assert len(set(blue_heights(drawn_strip(shares[:750], 300, 400)))) == 2
    whole = blue_heights(drawn_strip(shares, 300, 400))
    assert set(whole) == {max(whole)}


@pytest.mark.parametrize('places', [7, 300, 900, 9000])
def test_the_strip_draws_means(places):
    """One frame in 30 at full depth; frames that share a column of pixels are their mean."""
    shares = np.full(places, 0.4)
    shares[::30] = 1.0
    image = drawn_strip(shares.tolist(), places, 900)
    pixels = (np.asarray(image) == (0, 0x72, 0xB2)).all(axis=2)[:, 40:890]
    height = STRIP - 6 - 18 + 1
    assert pixels.sum(axis=0).mean() / height == pytest.approx(shares.mean(), abs=0.5 / height)


def blue_heights(strip):
    """Of its columns, without the margins."""
    pixels = np.asarray(strip)
    return (pixels == (0, 0x72, 0xB2)).all(axis=2).sum(axis=0).tolist()[45:385]


class Clock:
    """Seconds that pass as told."""

    def __init__(self, monkeypatch):
        self.now = 5.0
        monkeypatch.setattr(video.time, 'perf_counter', lambda: self.now)


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
    source = video.Video(SimpleNamespace(get=lambda _: rate), PAGE, 'a')
    assert source.rate == pytest.approx(wanted)
    with recording(tmp_path / 'a.mp4', source.rate, (64, 48)) as writer:
        for _ in range(3):
            writer.write(PAGE)
    assert read(tmp_path / 'a.mp4') == (pytest.approx(wanted, rel=1e-4), 3)


def test_a_file_that_cannot_be_written_names_the_rate(tmp_path):
    (tmp_path / 'a.mp4').mkdir()
    refused = pytest.raises(ValueError, match=r'a\.mp4 cannot be written at 25 frames per second')
    with refused, recording(tmp_path / 'a.mp4', 25.0, (64, 48)):
        pass


def test_a_full_disk_is_no_success(tmp_path):
    path = tmp_path / 'a.mp4'
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    incomplete = pytest.raises(ValueError, match=r'/a\.mp4 cannot be completed: the disk may be full')
    with incomplete, largest_file(1000), recording(path, 25.0, (64, 48)) as writer:
        for _ in range(5):
            writer.write(noise)
    assert not list(tmp_path.iterdir())


def test_a_file_named_by_a_time_stamp(tmp_path, monkeypatch):
    """FFmpeg takes what precedes a colon for a protocol."""
    monkeypatch.chdir(tmp_path)
    with recording(Path('10:30:00.mp4'), 5.0, (64, 48)) as writer:
        writer.write(PAGE)
    assert read(tmp_path / '10:30:00.mp4')[1] == 1


@pytest.mark.parametrize(('later', 'written'), [(0.05, 38), (0.25, 96), (0.9, 284)])
def test_a_camera_keeps_to_the_clock(later, written, tmp_path, monkeypatch):
    """Four frames a second at first, then more or fewer; each is the newest."""
    clock = Clock(monkeypatch)

    class Camera:
        """30 frames per second, as it says."""

        seconds = [later] * 30 + [0.25] * 9

        def get(self, name):
            return 30.0 if name == cv2.CAP_PROP_FPS else -1.0

        def read(self):
            clock.now += self.seconds.pop() if self.seconds else 0
            return bool(self.seconds), PAGE

    camera = video.Video(Camera(), PAGE, 'camera', True)
    lines = list(run_video(camera, FakePredictor(), tmp_path, False))
    assert lines[0] == f'{tmp_path}/camera_demo.mp4: 39 frames at 10 per second'
    rate, count = read(tmp_path / 'camera_demo.mp4')
    assert rate == pytest.approx(10)
    assert count == pytest.approx(written, abs=1)
