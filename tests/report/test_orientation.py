"""Thumbnails of images with an EXIF orientation: as the network saw them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from iterbackbone.report.evaluation import load_evaluation
from iterbackbone.report.pictures import thumbnail_of
from tests.support.logs import prediction_of, record, write_log

ORIENTATION = 0x0112


def written(path, orientation, size=(60, 40)):
    """White in its upper left quarter."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[: size[1] // 2, : size[0] // 2] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(pixels).save(path, exif=exif, quality=95)


def shown(tmp_path, width, height, **prediction):
    line = record(0, img_path=str(tmp_path / 'image.jpg'), width=width, height=height)
    folder = write_log(tmp_path / 'log', [line], [{**prediction_of(line), **prediction}])
    return thumbnail_of(load_evaluation(folder), 0, tmp_path)


def bright(picture):
    """Column and row of the brightest quarter."""
    quarters = np.asarray(picture.convert('L').resize((2, 2), Image.Resampling.BOX))
    row, column = np.unravel_index(quarters.argmax(), (2, 2))
    return int(column), int(row)


@pytest.mark.parametrize(
    ('prediction', 'size', 'corner'),
    [
        pytest.param({}, (40, 60), (1, 0), id='turned'),
        pytest.param({'exif_ignored': True}, (60, 40), (0, 0), id='ignored'),
        pytest.param({}, (60, 40), (0, 0), id='ignored, in a log that does not say'),
        pytest.param({}, (None, None), (1, 0), id='of unknown size'),
    ],
)
def test_turned_by_a_quarter(tmp_path, prediction, size, corner):
    written(tmp_path / 'image.jpg', 6)
    assert bright(shown(tmp_path, *size, **prediction)) == corner


@pytest.mark.parametrize(('orientation', 'corner'), [(2, (1, 0)), (3, (1, 1)), (4, (0, 1))])
def test_turned_by_a_half_or_mirrored(tmp_path, orientation, corner):
    written(tmp_path / 'image.jpg', orientation)
    assert bright(shown(tmp_path, 60, 40)) == corner
    assert bright(shown(tmp_path, 60, 40, exif_ignored=True)) == (0, 0)


def test_a_square(tmp_path):
    written(tmp_path / 'image.jpg', 6, size=(50, 50))
    assert bright(shown(tmp_path, 50, 50)) == (1, 0)
    assert bright(shown(tmp_path, 50, 50, exif_ignored=True)) == (0, 0)
