"""Pictures beside their cost, the contact sheet and the tables."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest
from PIL import Image, ImageColor

from iterbackbone.cli.demo.panel import ORANGE, Prediction, cost_panel, with_panel
from iterbackbone.cli.demo.pictures import LINE, MOST, Seen, contact_sheet, run_pictures
from tests.support.fake_predictor import FakePredictor

BRIGHTNESS = {'b': 200, 'a': 100, 'c': 0}


@pytest.fixture
def folder(tmp_path):
    for name, value in BRIGHTNESS.items():
        cv2.imwrite(str(tmp_path / f'{name}.png'), np.full((60, 80, 3), value, np.uint8))
    return tmp_path


def test_tables_go_from_cheapest_to_dearest(folder):
    out = folder / 'out'
    out.mkdir()
    paths = sorted(folder.glob('*.png'))
    lines = list(run_pictures(paths, FakePredictor(), out, False))
    rows = json.loads((out / 'demo.json').read_text())
    assert [row['picture'] for row in rows] == [str(folder / f'{n}.png') for n in 'cab']
    assert [row['share'] for row in rows] == [0.25, 0.446, 0.642]
    assert (rows[0]['iterations_stage0'], rows[0]['iterations_stage1']) == (1, 1.75)
    assert [row['drawn'] for row in rows] == ['c.png', 'a.png', 'b.png']
    table = list(csv.DictReader((out / 'demo.csv').open()))
    assert [float(row['share']) for row in table] == [0.25, 0.446, 0.642]
    assert {p.name for p in out.glob('*.png')} == {'a.png', 'b.png', 'c.png'}
    assert lines[0].startswith('c.png: 1 / 1.75 of 3 / 4 iterations, 25.0%')
    assert lines[2] == '3 pictures: 44.6% of the adaptive MACs on average'


def test_tables_are_there_whoever_reads_on(folder):
    next(run_pictures(sorted(folder.glob('*.png')), FakePredictor(), folder / 'out', False))
    assert {'contact_sheet.jpg', 'demo.csv', 'demo.json'} <= {
        p.name for p in (folder / 'out').iterdir()
    }


def test_a_small_picture_fills_its_place_in_the_contact_sheet(folder):
    (folder / 'out').mkdir()
    list(run_pictures(sorted(folder.glob('*.png')), FakePredictor(), folder / 'out', False))
    sheet = np.asarray(Image.open(folder / 'out/contact_sheet.jpg')).astype(int)
    assert abs(sheet[100, 8 + 15 : 8 + 225]).max() < 10  # c.png is black


def test_one_picture_has_no_table_and_no_box_is_said(folder):
    out = folder / 'out'
    out.mkdir()
    lines = list(run_pictures([folder / 'a.png'], FakePredictor(boxes=0), out, False))
    assert [p.name for p in out.iterdir()] == ['a.png']
    assert lines[-1] == 'no box is drawn: all scores are below --score'


def test_a_network_that_never_stops_early_is_said(folder):
    class Full(FakePredictor):
        def predict(self, bgr, full_depth=True):
            return super().predict(bgr, True)

    (folder / 'out').mkdir()
    for predictor, said in ((Full(), True), (FakePredictor(), False)):
        lines = run_pictures(sorted(folder.glob('*.png')), predictor, folder / 'out', False)
        assert any('a lower --budget stops earlier' in line for line in lines) == said


def test_names_that_meet_are_numbered_and_bad_pictures_skipped(folder):
    cv2.imwrite(str(folder / 'a.jpg'), np.zeros((8, 8, 3), np.uint8))
    (folder / 'd.png').write_text('text')
    out = folder / 'out'
    out.mkdir()
    paths = sorted(p for p in folder.iterdir() if p.is_file())
    lines = list(run_pictures(paths, FakePredictor(), out, False))
    assert lines[0] == f'skipped: {folder}/d.png is no picture that OpenCV can read'
    assert {p.name for p in out.glob('*.png')} == {'1_a.png', '2_a.png', '3_b.png', '4_c.png'}
    rows = json.loads((out / 'demo.json').read_text())
    drawn = {row['picture']: row['drawn'] for row in rows}
    assert drawn[f'{folder}/a.jpg'] == '1_a.png'
    assert drawn[f'{folder}/a.png'] == '2_a.png'


def test_a_full_disk_keeps_the_good_picture(folder):
    (folder / 'out').mkdir()
    (folder / 'out/a.png').write_text('good')
    (folder / 'out/a.png.part').symlink_to('/dev/full')
    with pytest.raises(OSError, match=r"No space left on device: '.*/out/a\.png'"):
        list(run_pictures([folder / 'a.png'], FakePredictor(), folder / 'out', False))
    assert (folder / 'out/a.png').read_text() == 'good'


def test_nothing_but_bad_pictures_is_an_error(tmp_path):
    """The last one's: of a single picture nothing else is said."""
    paths = [tmp_path / 'c.png', tmp_path / 'd.png']
    for path in paths:
        path.write_text('text')
    lines = run_pictures(paths, FakePredictor(), tmp_path / 'out', False)
    assert next(lines) == f'skipped: {paths[0]} is no picture that OpenCV can read'
    for last in (lines, run_pictures(paths[1:], FakePredictor(), tmp_path / 'out', False)):
        with pytest.raises(ValueError, match=r'd\.png is no picture that OpenCV can read'):
            next(last)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('size', 'height'),
    [((20, 10), 240), ((640, 480), 420), ((300, 4000), 420), ((4000, 3000), 1600)],
)
def test_the_panel_stands_beside_the_picture(size, height):
    """As large as it must be to be read where the picture is shown whole."""
    drawn = np.zeros((size[1], size[0], 3), np.uint8)
    cost = FakePredictor().predict(drawn)
    whole = with_panel(drawn, cost)
    panel = cost_panel(cost, height)
    assert panel.width == round(0.8 * height)
    picture = whole.width - panel.width
    assert picture == max(size[0], round(size[0] * 480 / max(size)))
    blue = np.all(np.asarray(panel) == (0, 0x72, 0xB2), axis=2).sum(axis=1)
    lengths = sorted({int(n) for n in blue if n > 40})
    assert len(lengths) == 2  # of two stages
    assert lengths[0] / lengths[1] == pytest.approx((1 / 3) / (1.75 / 4), abs=0.03)


def test_a_contact_sheet_of_many_keeps_both_ends(tmp_path):
    cost = FakePredictor().predict(np.zeros((2, 2, 3), np.uint8))
    seen = [
        Seen(
            tmp_path / f'{i}.png',
            tmp_path,
            cost,
            Image.new('RGB', (240, 180), (i % 256, 0, i // 256)),
        )
        for i in range(MOST * 3)
    ]
    sheet = np.asarray(contact_sheet(seen))
    assert tuple(sheet[8, 8]) == (0, 0, 0)
    last = MOST * 3 - 1
    assert (sheet == (last % 256, 0, last // 256)).all(axis=2).any()


def test_letters_of_file_names_are_drawn(tmp_path):
    """Pillow's own font has ASCII only: all others would look alike."""
    cost = FakePredictor().predict(np.zeros((2, 2, 3), np.uint8))
    thumbnail = Image.new('RGB', (240, 180))
    seen = [Seen(tmp_path / f'{letter}.png', tmp_path, cost, thumbnail) for letter in 'üéßжλ']
    sheet = np.asarray(contact_sheet(seen))
    lines = [sheet[188 + y : 188 + y + LINE, x : x + 240] for y in (0, 209) for x in (8, 256, 504)]
    assert len({line.tobytes() for line in lines}) == 6  # one place is empty


@pytest.mark.parametrize('stages', [1, 2, 3, 4])
def test_label_and_value_of_a_bar_do_not_overlap(stages):
    cost = Prediction(None, None, [3.0] * stages, [3] * stages, 5, 5, 10.0)
    panel = np.asarray(cost_panel(cost, 420)).astype(int)
    orange = np.flatnonzero((panel == ImageColor.getrgb(ORANGE)).all(axis=2).any(axis=1))[0]
    line = panel[orange - 20 : orange - 2].min(axis=(0, 2)) < 200  # columns with ink
    inked = np.flatnonzero(line)
    assert np.diff(inked).max() >= 20
