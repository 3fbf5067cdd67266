"""Label maps in colour, and only those of the evaluation's own folder."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from iterbackbone.report.analysis import analyze
from iterbackbone.report.evaluation import load_evaluation
from iterbackbone.report.pictures import (
    IGNORED,
    colour_of,
    coloured,
    embedded_maps,
    label_maps,
    read_labels,
)
from tests.support.logs import PALETTE, PREDICTED, TRUE, segmented


def loaded(*args, **options):
    return load_evaluation(segmented(*args, **options))


def test_maps_take_the_data_sets_colours_and_ignored_pixels_are_black(tmp_path):
    evaluation = loaded(tmp_path, palette=PALETTE)
    maps = label_maps(evaluation, 0)
    assert {kind: m.tolist() for kind, m in maps.items()} == {
        'true': np.where(TRUE == 255, IGNORED, TRUE.astype(int)).tolist(),
        'predicted': PREDICTED.tolist(),
    }
    assert coloured(evaluation, maps['true']).tolist() == [
        [PALETTE[0], PALETTE[0], PALETTE[1]],
        [PALETTE[0], [0, 0, 0], PALETTE[1]],
    ]


def test_embedded_maps_are_pictures_with_a_legend(tmp_path):
    found = embedded_maps(loaded(tmp_path, palette=PALETTE), 0)
    assert [entry['title'] for entry in found['maps']] == ['true', 'predicted']
    png = base64.b64decode(found['maps'][1]['uri'].removeprefix('data:image/png;base64,'))
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert('RGB'))
    assert pixels.tolist() == [[PALETTE[n] for n in row] for row in PREDICTED.tolist()]
    # Pixels in both maps: six of class 0, five of class 1.
    assert found['legend'] == [
        {'name': 'sky', 'colour': '#0a141e'},
        {'name': 'car', 'colour': '#c80000'},
    ]


def test_class_255_of_16_bits_is_a_class(tmp_path):
    pixels = np.array([[255, 300], [65535, 0]])
    Image.fromarray(pixels.astype(np.uint16)).save(tmp_path / 'wide.png')
    assert read_labels(tmp_path / 'wide.png').tolist() == [[255, 300], [IGNORED, 0]]
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / 'narrow.png')
    assert read_labels(tmp_path / 'narrow.png').tolist() == [[IGNORED, 44], [IGNORED, 0]]


@pytest.mark.parametrize('palette', [None, [], [[1, 2, 3]]])
def test_classes_without_a_colour_get_one(tmp_path, palette):
    evaluation = loaded(tmp_path, palette=palette)
    found = [colour_of(evaluation, label) for label in range(150)]
    assert len(set(found)) > 100
    assert all(0 <= channel <= 255 for colour in found for channel in colour)


@pytest.mark.parametrize(
    'paths', [('../true.png', '../predicted.png'), ('/etc/hostname', 'missing.png'), (None, 7)]
)
def test_files_outside_the_folder_are_not_read(tmp_path, paths):
    assert embedded_maps(loaded(tmp_path, paths=paths), 0) == {}


def test_page_and_contact_sheets_show_them(tmp_path):
    evaluation = loaded(tmp_path, count=6, palette=PALETTE)
    analyze([evaluation], tmp_path / 'out', tmp_path, 0.3)
    text = (tmp_path / 'out/report.html').read_text(encoding='utf-8')
    data = json.loads(text.split('id="data">')[1].split('</script>')[0])
    assert all(len(image['maps']) == 2 for image in data['runs'][0].values())
    assert '1 - mIoU of the image' in text
    red = np.array(PALETTE[1])
    for name in ('easiest', 'hardest'):
        sheet = np.asarray(Image.open(tmp_path / f'out/{name}.png').convert('RGB'))
        assert (sheet == red).all(axis=2).sum() > 1000
