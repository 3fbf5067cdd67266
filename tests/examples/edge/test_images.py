"""Images are prepared as mmcv and mmpretrain prepare them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from images import UserError, find, load, prepare, resize
from mmcv.transforms import Resize
from mmpretrain.datasets.transforms import CenterCrop, ResizeEdge
from PIL import Image

SIZES = [(40, 61), (61, 40), (33, 33), (7, 90)]


def noise(size):
    return np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)


def assert_same(found, wanted):
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted).max() <= 1  # OpenCV computes in fixed point


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('keep_ratio', [True, False])
@pytest.mark.parametrize('scale', [(50, 30), (30, 50), (200, 120)])
def test_resize_as_mmcv(size, keep_ratio, scale):
    image = noise(size)
    wanted = Resize(scale=scale, keep_ratio=keep_ratio)({'img': image})['img']
    found = prepare(image, [{'step': 'resize', 'scale': list(scale), 'keep_ratio': keep_ratio}])
    assert_same(found, wanted)


@pytest.mark.parametrize('size', SIZES)
def test_short_edge_and_crop_as_mmpretrain(size):
    image = noise(size)
    wanted = CenterCrop(28)(ResizeEdge(scale=32)({'img': image}))['img']
    steps = [{'step': 'resize_short', 'edge': 32}, {'step': 'center_crop', 'size': [28, 28]}]
    assert_same(prepare(image, steps), wanted)


def test_crop_of_any_shape_as_mmcv():
    for width in range(30, 40):  # odd and even remainders
        image = noise((37, width))
        wanted = CenterCrop((30, 20))({'img': image})['img']
        found = prepare(image, [{'step': 'center_crop', 'size': [20, 30]}])
        assert np.array_equal(found, wanted)


def test_sixteen_bits_as_opencv(tmp_path):
    levels = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    Image.fromarray(levels).save(tmp_path / 'a.png')
    wanted = cv2.imread(str(tmp_path / 'a.png'), cv2.IMREAD_COLOR)
    assert np.abs(load(tmp_path / 'a.png').astype(int) - wanted).max() <= 1


def test_resize_by_hand():
    # centres of the new pixels lie at 0.5 and 2.5 of the old
    image = np.array([0, 10, 100, 200], dtype=np.uint8).reshape(1, 4, 1).repeat(3, axis=2)
    assert resize(image, 1, 2)[0, :, 0].tolist() == [5, 150]
    assert resize(image, 1, 4) is image


def test_a_strip_keeps_a_row():
    step = {'step': 'resize', 'scale': [30, 20], 'keep_ratio': True}
    assert prepare(noise((2, 300)), [step]).shape == (1, 30, 3)


def test_a_step_of_a_newer_file_is_refused():
    with pytest.raises(UserError, match="wants the step 'rotate': take a newer runner"):
        prepare(noise((4, 4)), [{'step': 'rotate'}])


def test_any_mode_and_orientation_becomes_upright_rgb(tmp_path):
    pixels = noise((6, 9))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(pixels).save(tmp_path / 'turned.png', exif=exif)
    assert np.array_equal(load(tmp_path / 'turned.png'), np.rot90(pixels, -1))
    for mode in ('L', 'RGBA', 'P', '1', 'CMYK'):
        path = tmp_path / f'{mode}.tiff'
        Image.fromarray(pixels).convert(mode).save(path)
        assert load(path).shape == (6, 9, 3)
        assert load(path).dtype == np.uint8


@pytest.mark.parametrize('kind', [np.float32, np.int32])
def test_more_than_sixteen_bits_are_refused(kind, tmp_path):
    """Pillow would make a black or white picture of them."""
    Image.fromarray(np.full((4, 4), 0.5, kind)).save(tmp_path / 'a.tif')
    with pytest.raises(UserError, match=r'a\.tif: has more than 16 bits a value'):
        load(tmp_path / 'a.tif')


def test_what_cannot_be_read_names_the_file(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(b'no image')
    with pytest.raises(UserError, match=r'a\.jpg'):
        load(tmp_path / 'a.jpg')


def test_find(tmp_path):
    (tmp_path / 'b').mkdir()
    for name in ('b/2.JPG', 'b/1.png', 'notes.txt'):
        (tmp_path / name).touch()
    found = find([tmp_path, tmp_path / 'notes.txt'], None)
    assert [p.name for p in found] == ['1.png', '2.JPG', 'notes.txt']
    assert len(find([tmp_path], 1)) == 1
    with pytest.raises(UserError, match='no such file or folder'):
        find([tmp_path / 'no'], None)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(UserError, match='no image found'):
        find([tmp_path / 'empty'], None)
