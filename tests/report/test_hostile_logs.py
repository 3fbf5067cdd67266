"""Logs that come from anywhere: what they may cost, and which files they may show."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from iterbackbone.report import page
from iterbackbone.report.analysis import analyze
from iterbackbone.report.evaluation import load_evaluation
from iterbackbone.report.image_files import MAX_BYTES, MAX_PIXELS, inside
from iterbackbone.report.page import GALLERY, embed
from iterbackbone.report.pictures import image_path, thumbnail
from tests.support.logs import correlated, record, write_images, write_log


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WebP', 'BMP', 'TIFF'])
def test_usual_formats_are_drawn_whatever_the_name(tmp_path, kind):
    Image.new('RGB', (640, 320), 'red').save(tmp_path / 'image.txt', kind)
    assert thumbnail(tmp_path / 'image.txt').size == (320, 160)


@pytest.mark.parametrize('kind', ['png', 'tif'])
def test_grey_images_of_16_bits_are_not_white(tmp_path, kind):
    Image.fromarray(np.full((20, 30), 100 * 256, np.uint16)).save(tmp_path / f'image.{kind}')
    assert thumbnail(tmp_path / f'image.{kind}').getpixel((0, 0)) == (100, 100, 100)


@pytest.mark.parametrize('kind', ['GIF', 'PPM', 'PDF', 'ICO', 'SGI', 'TGA'])
def test_other_formats_are_not(tmp_path, kind):
    Image.new('RGB', (64, 32)).save(tmp_path / 'image.jpg', kind)
    assert thumbnail(tmp_path / 'image.jpg') is None


def test_no_image_starts_ghostscript(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(EpsImagePlugin, 'Ghostscript', lambda *args, **kw: started.append(args))
    Image.new('RGB', (64, 32)).save(tmp_path / 'image.png', 'EPS')
    assert (thumbnail(tmp_path / 'image.png'), started) == (None, [])


def test_pipes_devices_and_folders_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / 'pipe.jpg')
    (tmp_path / 'folder.jpg').mkdir()
    (tmp_path / 'link.jpg').symlink_to(tmp_path / 'pipe.jpg')
    for path in ('pipe.jpg', 'folder.jpg', 'link.jpg', 'absent.jpg', '/dev/zero'):
        assert thumbnail(tmp_path / path) is None


def test_an_image_of_too_many_pixels_is_not_decoded(tmp_path):
    side = 1 + int(MAX_PIXELS**0.5)
    for name, size in (('over', (side, side)), ('below', (side, 100))):
        Image.new('1', size).save(tmp_path / f'{name}.png')
    assert thumbnail(tmp_path / 'over.png') is None
    assert thumbnail(tmp_path / 'below.png').width == 320


def test_a_file_of_too_many_bytes_is_not_read(tmp_path):
    path = tmp_path / 'image.png'
    Image.new('1', (4, 3)).save(path)
    os.truncate(path, MAX_BYTES)  # what follows the image takes no place on the disk
    assert thumbnail(path).size == (4, 3)
    os.truncate(path, MAX_BYTES + 1)
    assert thumbnail(path) is None


def test_pictures_are_limited_and_a_broken_one_is_left_out(tmp_path, monkeypatch):
    looked_for = []

    def path_of(evaluation, i, image_root):
        looked_for.append(i)
        return image_path(evaluation, i, image_root)

    monkeypatch.setattr(page, 'image_path', path_of)
    records = correlated(60)
    write_images(tmp_path, records)
    evaluation = load_evaluation(write_log(tmp_path / 'log', records))
    assert len(embed(evaluation, tmp_path, 0.3, 3)) == 2 * GALLERY + 1  # the ends, and the middle
    assert len(looked_for) == len(set(looked_for)) == 2 * GALLERY + 1
    (set_aside,) = set(embed(evaluation, tmp_path, 0.3, 3)) - set(embed(evaluation, tmp_path, 0.3, 2))
    (tmp_path / records[set_aside]['img_path']).unlink()
    assert len(embed(evaluation, tmp_path, 0.3, 3)) == 2 * GALLERY + 1  # another of the middle
    (tmp_path / records[0]['img_path']).write_bytes(b'broken')
    assert len(embed(evaluation, tmp_path, 0.3, 60)) == 58


@pytest.fixture
def outside(tmp_path):
    """A picture beside the image root, and links to it from within."""
    root, secret = tmp_path / 'root', tmp_path / 'secret'
    root.mkdir()
    secret.mkdir()
    Image.new('RGB', (8, 8)).save(secret / 'image.png')
    Image.new('RGB', (8, 8)).save(root / 'image.png')
    (root / 'link.png').symlink_to(secret / 'image.png')
    (root / 'folder').symlink_to(secret)
    (root / 'circle').symlink_to(root / 'circle')
    return root, secret


@pytest.mark.parametrize(
    'name',
    [
        '../secret/image.png',
        'link.png',
        'folder/image.png',
        '{secret}/image.png',
        'circle/a',
        'a\0b',
        '',
    ],
)
def test_files_outside_the_image_root_are_not_found(outside, tmp_path, name):
    root, secret = outside
    entry = record(0, img_path=name.format(secret=secret))
    evaluation = load_evaluation(write_log(tmp_path / 'log', [entry]))
    assert image_path(evaluation, 0, root) is None


def test_a_name_longer_than_files_have_leaves_one_picture_out(tmp_path):
    records = [record(k, img_path=name) for k, name in enumerate(('a.png', 'a' * 300))]
    Image.new('RGB', (8, 8)).save(tmp_path / 'a.png')
    evaluation = load_evaluation(write_log(tmp_path / 'log', records))
    analyze([evaluation], tmp_path / 'out', tmp_path, 0.3)
    assert (tmp_path / 'out/report.html').read_text().count('data:image/webp') == 1


def test_the_page_says_that_images_lie_outside(outside, tmp_path):
    root, secret = outside
    evaluation = load_evaluation(
        write_log(tmp_path / 'log', [record(0, img_path=f'{secret}/image.png')])
    )
    analyze([evaluation], tmp_path / 'out', root, 0.3)
    text = (tmp_path / 'out' / 'report.html').read_text(encoding='utf-8')
    assert 'data:image/webp' not in text
    assert f'outside the image root are not drawn, such as {secret}/image.png: name their' in text


def test_files_below_any_of_several_roots_are_drawn(outside):
    root, secret = outside
    for name in ('image.png', 'link.png', 'folder/image.png', str(secret / 'image.png')):
        assert inside([root, secret], name).is_file()
    assert inside(root, str(root / 'image.png')) == (root / 'image.png').resolve()


@pytest.mark.parametrize(
    ('meta', 'reason'),
    [
        (
            dict(max_iterations=[3] * 300, blocks_per_stage=[1] * 300),
            'blocks_per_stage: Expected `array` of length <= 32',
        ),
        (dict(roi_max_iterations='many'), 'roi_max_iterations: Expected `array`, got `str`'),
        (dict(classes=['x'] * 200_000), 'classes: Expected `array` of length <= 100000'),
        (dict(classes=['x' * 501]), r'classes\[0\]: Expected `str` of length <= 500'),
        (dict(score={'mAP': 1e300}), r'score\[...\]: Expected `float` <= 1e\+18'),
        (dict(epoch=10**200), 'epoch: Integer value out of range, got 1e200|epoch: Expected `int`'),
        (dict(model='x' * 501), 'model: Expected `str` of length <= 500'),
    ],
)
def test_meta_beyond_a_limit_is_refused_by_field_and_value(tmp_path, meta, reason):
    folder = write_log(tmp_path / 'a', correlated(2), **meta)
    with pytest.raises(ValueError, match=reason) as error:
        load_evaluation(folder)
    assert str(error.value).startswith(f'{folder / "meta.json"}: ')
    assert len(str(error.value)) < 1000


def test_iterations_beyond_the_networks_are_refused(tmp_path):
    folder = write_log(tmp_path / 'a', [record(0), record(1, (3, 4, 7, 3), macs=1)])
    assert [str(p).rsplit('/')[-1] for p in load_evaluation(folder).problems][:1] == [
        'records.jsonl:2: iterations of stage 2 must be at most 6, got 7'
    ]


@pytest.mark.parametrize(
    ('boxes', 'reason'),
    [
        ([[0, 0, 1, 1]] * 3001, 'predicted.boxes: Expected `array` of length <= 3000'),
        ([[0, 0, 1, 1e300]], 'predicted.boxes[0][3]: Expected `float` <= 1000000000.0, got 1e+300'),
    ],
)
def test_boxes_beyond_a_limit_are_left_out(tmp_path, boxes, reason):
    line = {'img_id': '000000', 'img_path': 'images/000000.jpg'}
    line['predicted'] = {'boxes': boxes, 'labels': [0] * len(boxes)}
    evaluation = load_evaluation(write_log(tmp_path / 'a', [record(0)], [line]))
    assert [p.reason.startswith(reason) for p in evaluation.problems] == [True]


def test_the_largest_log_that_is_allowed_becomes_a_report(tmp_path):
    stages, most = 32, 10**4 // 32
    records = [
        record(i, (1 + 7 * i % most,) * stages, macs=1, class_names=['x' * 500] * 9) for i in range(40)
    ]
    names = dict(config='y' * 4000, classes=['\n' * 500] * 3)
    folder = write_log(
        tmp_path / 'a', records, max_iterations=[most] * stages, blocks_per_stage=[1] * stages, **names
    )
    evaluation = load_evaluation(folder)
    assert (evaluation.problems, len(evaluation.name)) == ([], 79)
    analyze([evaluation], tmp_path / 'out', tmp_path, 0.3)
    assert (tmp_path / 'out' / 'report.html').stat().st_size < 8_000_000
