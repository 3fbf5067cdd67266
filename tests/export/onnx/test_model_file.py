"""Images as a file's description prepares them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from mmcv.transforms import CenterCrop
from PIL import Image

from iterbackbone.export.onnx.model_file import load_image
from tests.support.pictures import write_huge


def test_steps_of_a_description(tmp_path):
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), np.full((40, 80, 3), (1, 2, 3), dtype=np.uint8))
    keep = {'step': 'resize', 'scale': [60, 100], 'keep_ratio': True}
    short, crop = {'step': 'resize_short', 'edge': 20}, {'step': 'center_crop', 'size': [16, 18]}
    assert load_image(path, [keep]).shape == (1, 3, 50, 100)
    assert load_image(path, [{**keep, 'keep_ratio': False}]).shape == (1, 3, 100, 60)
    assert load_image(path, [short]).shape == (1, 3, 20, 40)
    assert load_image(path, [short, crop]).shape == (1, 3, 16, 18)
    assert load_image(path, [])[0, :, 0, 0].tolist() == [3, 2, 1]
    with pytest.raises(ValueError, match="Invalid value 'pad'"):
        load_image(path, [{'step': 'pad'}])


def test_calibration_images_are_cropped_as_mmcv_crops(tmp_path):
    for width in range(20, 28):  # odd and even remainders
        pixels = np.random.default_rng(0).integers(0, 256, (16, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / 'a.png')
        found = load_image(tmp_path / 'a.png', [{'step': 'center_crop', 'size': [16, 16]}])
        assert np.array_equal(found[0].transpose(1, 2, 0), CenterCrop(16)({'img': pixels})['img'])


@pytest.mark.parametrize('kind', ['jpg', 'tif'])
def test_images_are_turned_as_exif_says(kind, tmp_path):
    exif = Image.Exif()
    exif[0x112] = 6  # a quarter to the right
    path = tmp_path / f'a.{kind}'
    Image.new('RGB', (30, 20)).save(path, exif=exif)
    assert load_image(path, []).shape == (1, 3, 30, 20)


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / 'a.png').touch()
    huge = write_huge(tmp_path / 'b.bmp')
    for path, reason in ((tmp_path / 'a.png', 'cannot be read as an image'), (huge, 'too large')):
        with pytest.raises(ValueError, match=f'--images: {path} .*{reason}'):
            load_image(path, [])
