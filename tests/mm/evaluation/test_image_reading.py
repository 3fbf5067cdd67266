"""Which of mmcv's readings ignore a file's EXIF orientation: as mmcv itself reads such a file."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile, RandomChoice
from mmdet.structures import DetDataSample
from mmengine.dataset import Compose
from PIL import Image
from torch import nn

from iterbackbone.mm.evaluation.sample_record import SampleReader


class Files:
    metainfo = dict(classes=('cat',))

    def __init__(self, *pipeline):
        self.pipeline = Compose(list(pipeline))

    def get_data_info(self, index):
        return {}


@pytest.fixture
def turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((10, 30, 3), np.uint8)).save(tmp_path / 'a.jpg', exif=exif)
    return str(Path(tmp_path, 'a.jpg'))


NAMES = (
    'color',
    'unchanged',
    'grayscale',
    'color_ignore_orientation',
    'grayscale_ignore_orientation',
)
NUMBERS = (cv2.IMREAD_COLOR, cv2.IMREAD_GRAYSCALE, cv2.IMREAD_UNCHANGED)  # which only cv2 takes


@pytest.mark.parametrize(
    ('flag', 'backend'), [*product(NAMES, ('cv2', 'pillow')), *product(NUMBERS, ('cv2',))]
)
def test_readings(turned, flag, backend):
    load = LoadImageFromFile(color_type=flag, imdecode_backend=backend)
    height, width = load.transform(dict(img_path=turned))['ori_shape']
    sample = DetDataSample(metainfo=dict(img_path=turned, ori_shape=(height, width)))
    for pipeline in ([load], [RandomChoice([[load]])]):
        prediction = SampleReader(Files(*pipeline), nn.Identity())(sample).prediction
        assert prediction.get('exif_ignored', False) == (width > height)


def test_an_unknown_reading_says_nothing(turned):
    sample = DetDataSample(metainfo=dict(img_path=turned))
    assert 'exif_ignored' not in SampleReader(Files(), nn.Identity())(sample).prediction


def test_each_part_of_a_data_set_reads_in_its_own_way(turned):
    flags = ('color_ignore_orientation', 'color', 'color_ignore_orientation')
    parts = [Files(LoadImageFromFile(color_type=flag)) for flag in flags]
    dataset = SimpleNamespace(datasets=parts, cumulative_sizes=[1, 2, 3])
    reader = SampleReader(dataset, nn.Identity())
    sample = DetDataSample(metainfo=dict(img_path=turned))
    assert ['exif_ignored' in reader(sample, i).prediction for i in range(3)] == [True, False, True]
