"""A video keeps its rate; its strip shows the compute; both speeds come from the same frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import ImageDraw

from iterbackbone.cli.demo.sources import open_source
from iterbackbone.cli.demo.video import STRIP, Strip, run_video
from tests.support.fake_predictor import FakePredictor


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
    lines = list(run_video(open_source(str(video_path)), predictor, tmp_path, None))
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
    video = open_source(str(video_path))._replace(first=np.zeros((48, 64, 3), np.uint8))
    video.capture.set(cv2.CAP_PROP_POS_FRAMES, 100)
    lines = list(run_video(video, FakePredictor(), tmp_path, None))
    assert lines[0] == '21 of the 120 frames were read'


def test_ctrl_c_keeps_what_was_written(video_path, tmp_path):
    class Interrupted(FakePredictor):
        def predict(self, bgr, full_depth=False):
            if len(self.calls) == 30:
                raise KeyboardInterrupt
            return super().predict(bgr, full_depth)

    lines = list(run_video(open_source(str(video_path)), Interrupted(), tmp_path, None))
    assert lines[0].endswith(' of the 120 frames were read')
    assert cv2.VideoCapture(str(tmp_path / 'walk_demo.mp4')).read()[0]


def test_a_frame_draws_its_own_part_of_the_strip_only(video_path, tmp_path, monkeypatch):
    drawn, rectangle = [], ImageDraw.ImageDraw.rectangle
    monkeypatch.setattr(
        ImageDraw.ImageDraw, 'rectangle', lambda *args: drawn.append(args) or rectangle(*args)
    )
    list(run_video(open_source(str(video_path)), FakePredictor(), tmp_path, None))
    assert len(drawn) < 120 * 10  # bars of the panels, and one of the strip


def test_the_strip_of_a_camera_starts_over():
    strip = Strip(300, 400)
    for share in [0.1] * 500 + [0.9] * 250:
        image = strip.with_next(share)
    assert len(set(blue_heights(image))) == 2
    for _ in range(50):
        image = strip.with_next(0.9)
    assert set(blue_heights(image)) == {max(blue_heights(image))}


@pytest.mark.parametrize('places', [7, 300, 900, 9000])
def test_the_strip_draws_means(places):
    """One frame in 30 at full depth; frames that share a column of pixels are their mean."""
    shares = np.full(places, 0.4)
    shares[::30] = 1.0
    strip = Strip(places, 900)
    for share in shares:
        image = strip.with_next(share)
    pixels = (np.asarray(image) == (0, 0x72, 0xB2)).all(axis=2)[:, 40:890]
    height = STRIP - 6 - 18 + 1
    assert pixels.sum(axis=0).mean() / height == pytest.approx(shares.mean(), abs=0.5 / height)


def blue_heights(strip):
    """Of its columns, without the margins."""
    pixels = np.asarray(strip)
    return (pixels == (0, 0x72, 0xB2)).all(axis=2).sum(axis=0).tolist()[45:385]
