"""The report of a classifier's log: error rates, classes, and nothing about objects."""

from __future__ import annotations

import csv
import json

import pytest
from PIL import Image

from iterbackbone.mm.evaluation.summary import summarise_log
from iterbackbone.report.analysis import analyze
from iterbackbone.report.evaluation import load_evaluation
from iterbackbone.report.pictures import class_ends, image_path
from iterbackbone.report.summary import summarise
from tests.support.logs import CLASSES, classified, record, write_images, write_log


def report(folder, tmp_path):
    (summary,) = analyze([load_evaluation(folder)], tmp_path / 'out', tmp_path, 0.3)
    return summary, tmp_path / 'out'


def test_error_rate_by_iterations(tmp_path):
    summary = summarise(load_evaluation(classified(tmp_path)))
    error = summary['error']  # images 1, 3, 5, 7 are wrong
    assert (error['name'], error['overall'], error['num_images']) == ('error rate', 4 / 9, 9)
    assert [(b['low'], b['num_images'], b['mean']) for b in error['bins']] == [(4, 5, 0), (6, 4, 1)]
    assert error['bins'][0]['mean_high'] == pytest.approx(3.841459 / 8.841459)  # Wilson's
    assert error['spearman']['coefficient'] == pytest.approx(1)
    assert (summary['associations'], summary['partial'], summary['bins']) == ([], [], {})
    rows = [(row['name'], row['num_images'], row['mean_error']) for row in summary['classes']]
    assert rows == [('circle', 3, 1 / 3), ('square', 3, 2 / 3), ('star', 3, pytest.approx(1 / 3))]


def test_files(tmp_path):
    _, out = report(classified(tmp_path), tmp_path)
    assert sorted(path.name for path in out.iterdir()) == [
        'easiest.png',
        'figure4.png',
        'files.json',
        'hardest.png',
        'records.csv',
        'report.html',
        'stages.png',
        'summary.json',
        'summary.md',
    ]
    markdown = (out / 'summary.md').read_text()
    assert '| mean error rate | 0.444 |' in markdown
    assert 'images with a wrong prediction: ' in markdown
    with open(out / 'records.csv') as file:
        lines = list(csv.DictReader(file))
    assert [(r['label'], r['prediction'], r['correct'], r['confidence']) for r in lines[:2]] == [
        ('0', '0', 'True', '0.875'),
        ('1', '2', 'False', '0.875'),
    ]


def test_page(tmp_path):
    _, out = report(classified(tmp_path), tmp_path)
    text = (out / 'report.html').read_text(encoding='utf-8')
    data = json.loads(text.split('id="data">')[1].split('</script>')[0])
    assert set(data['charts']) == {'stages', 'figure4'}
    head = text.split('<script type')[0]
    assert 'object' not in head.split('</style>')[1]
    assert 'Most iterations of each class' in head
    assert head.count('class="card"') == 2 * 5 + 2 * len(CLASSES)
    image = data['runs'][0]['1']
    assert (image['outcome'], image['error']) == ('true square, predicted star 0.88', None)
    assert image['thumbnail'].startswith('data:image/webp')


def test_ends_of_each_class(tmp_path):
    evaluation = load_evaluation(classified(tmp_path))
    # Of class 0 the images 0 and 6 take four iterations, 3 six; of class 1 that is 4, and 1 and 7.
    assert class_ends(evaluation, 2) == ([0, 4], [3, 7])


def test_words(tmp_path):
    entries = [
        record(0, prediction=1, confidence=None, label=None),
        record(1, prediction=9, confidence=0.5, label=0),
        record(2),
    ]
    evaluation = load_evaluation(write_log(tmp_path / 'log', entries, task='classification'))
    words = [evaluation.outcome(i) for i in range(3)]
    assert words == ['predicted square', 'true circle, predicted 9 0.50', None]


def test_unlabelled_images_have_no_error(tmp_path):
    entries = [record(i, prediction=1, confidence=0.5, label=None, correct=None) for i in range(3)]
    write_images(tmp_path, entries)
    folder = write_log(tmp_path / 'log', entries, task='classification')
    summary, out = report(folder, tmp_path)
    assert summary['error'] is None
    assert not (out / 'figure4.png').exists()
    assert 'rho(error)' not in summarise_log(folder).line


@pytest.mark.usefixtures('undrawn')
@pytest.mark.parametrize(
    ('name', 'found'),
    [
        pytest.param('pictures/000000_0.png', True, id='beside the log'),
        pytest.param('../000000.png', False, id='outside the folder'),
        pytest.param('\0', False, id='no name'),
        pytest.param(3, False, id='no text'),
        pytest.param(None, False, id='absent'),
    ],
)
def test_pictures_of_images_that_are_no_files(tmp_path, name, found):
    folder = classified(tmp_path, 1, img_path=None)
    line = {'img_id': '000000', 'img_path': None, 'picture': name}
    (folder / 'predictions.jsonl').write_text(json.dumps(line) + '\n')
    (folder / 'pictures').mkdir()
    for place in (folder / 'pictures' / '000000_0.png', tmp_path / '000000.png'):
        Image.new('RGB', (32, 32)).save(place)
    path = image_path(load_evaluation(folder), 0, tmp_path)
    assert (path is not None) == found
    _, out = report(folder, tmp_path)
    assert (out / 'easiest.png').exists() == found
    text = (out / 'report.html').read_text(encoding='utf-8')
    assert ('None of the images was found.' in text.split('<script type')[0]) != found


def test_the_line_after_an_evaluation(tmp_path):
    found = summarise_log(classified(tmp_path))
    assert 'rho(error) +1.00' in found.line
    assert found.scalars['rho_error'] == pytest.approx(1)
    assert found.picture is None
