"""The page as text: whole, without the network, and nothing in it that a log could inject."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from iterbackbone.report import page as page_module
from iterbackbone.report.analysis import analyze
from iterbackbone.report.evaluation import load_evaluation, load_evaluations
from iterbackbone.report.pictures import evenly
from tests.support.logs import correlated, prediction_of, record, write_images, write_log

HOSTILE = '</script><script>alert(1)</script><img src=x onerror=alert(2)>"\'&{{73939133*7}}'


class Tags(HTMLParser):
    """Elements with their attributes, and the text of scripts."""

    def __init__(self, text):
        super().__init__()
        self.found, self.scripts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.found and self.found[-1][0] == 'script':
            self.scripts.append(data)


def page(tmp_path, records, predictions=None, **meta):
    folder = write_log(tmp_path / 'log', records, predictions, **meta)
    analyze([load_evaluation(folder)], tmp_path / 'out', tmp_path, 0.3)
    return (tmp_path / 'out' / 'report.html').read_text(encoding='utf-8')


def embedded(text):
    return json.loads(text.split('id="data">')[1].split('</script>')[0])


def test_all_files_are_there_and_no_part_of_one(tmp_path):
    records = correlated(30)
    write_images(tmp_path, records)
    page(tmp_path, records)
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'easiest.png',
        'figure4.png',
        'figure6.png',
        'files.json',
        'hardest.png',
        'records.csv',
        'report.html',
        'stages.png',
        'summary.json',
        'summary.md',
    ]


@pytest.mark.usefixtures('undrawn')
def test_it_asks_the_network_for_nothing(tmp_path):
    tags = Tags(page(tmp_path, correlated(5))).found
    assert [tag for tag, _ in tags if tag in ('link', 'iframe', 'object', 'embed', 'base')] == []
    sources = [attrs[key] for _, attrs in tags for key in ('src', 'href') if key in attrs]
    assert sources == []
    policy = next(attrs['content'] for tag, attrs in tags if attrs.get('http-equiv'))
    assert policy.startswith(
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data: blob:;"
    )
    assert policy.count('sha256-') == 2


@pytest.mark.usefixtures('undrawn')
def test_points_and_pictures(tmp_path):
    records = correlated(40)
    write_images(tmp_path, records[:30])  # ten images are missing
    data = embedded(page(tmp_path, records))
    assert sorted(data['charts']) == ['figure4', 'figure6a', 'figure6b', 'stages']
    images = data['runs'][0]
    assert len(images) == 40
    assert sum('thumbnail' in image for image in images.values()) == 30
    assert images['0']['thumbnail'].startswith('data:image/webp;base64,')
    entry = images['29']
    assert entry['objects'] == records[29]['num_objects']
    left, top, right, bottom = entry['boxes']['true'][0]['box']
    assert (left, top, right, bottom) == (0, round(10 / 120, 4), 0.25, 0.5)
    assert entry['boxes']['predicted'][0]['score'] == 0.9


@pytest.mark.usefixtures('undrawn')
def test_predicted_boxes_below_the_threshold_are_not_drawn(tmp_path):
    records = [record(0)]
    write_images(tmp_path, records)
    prediction = prediction_of(records[0])
    prediction['predicted']['scores'] = [0.29]
    boxes = embedded(page(tmp_path, records, [prediction]))['runs'][0]['0']['boxes']
    assert (len(boxes['predicted']), len(boxes['true'])) == (0, 1)


@pytest.mark.usefixtures('undrawn')
def test_what_the_log_does_not_say_is_not_available(tmp_path):
    dataset = {'type': 'VOCDataset', 'ann_file': None}
    text = page(tmp_path, [record(0)], config=None, task=None, dataset=dataset)
    for entry in (
        'config</dt><dd>n/a',
        'model</dt><dd>FasterRCNN, n/a',
        'data</dt><dd>VOCDataset, n/a',
    ):
        assert f'<dt>{entry}</dd>' in text


def test_hostile_names_stay_text(tmp_path):
    records = [
        record(0, img_id=HOSTILE, img_path=HOSTILE, class_names=[HOSTILE]),
        record(1, class_names=['{% raw %}']),
        '{"img_id": "<script>alert(3)</script>",\n',
    ]
    meta = dict(
        classes=[HOSTILE] * 3,
        config=f'{HOSTILE}.py',
        score={HOSTILE: 1.0, '<b>': float(2)},
        model=HOSTILE,
        dataset={HOSTILE: HOSTILE, 'type': HOSTILE, 'ann_file': HOSTILE},
        resnet={'name': HOSTILE},
        parameters={HOSTILE: 1},
    )
    text = page(tmp_path, records, **meta)
    harmless = page(tmp_path / 'b', [record(0), record(1), '{"img_id": \n'], classes=['a'] * 3)
    kinds = [[tag for tag, _ in Tags(t).found] for t in (text, harmless)]
    # The same elements in the same order, but for the row of the second score and class.
    assert [kinds[0].count(tag) for tag in ('script', 'img')] == [3, 0]
    assert set(kinds[0]) == set(kinds[1])
    assert not any(key.startswith('on') for _, attrs in Tags(text).found for key in attrs)
    assert '517573931' not in text  # the product: no template within a template
    assert embedded(text)['runs'][0]['0']['path'] == HOSTILE


def test_control_characters_of_names_stay_out(tmp_path):
    name = 'cat\x1b[31m\x07\u202e\x9b'
    records = [record(i, img_id=name, img_path=name, class_names=[name]) for i in range(3)]
    records[0]['predicted_class'] = name
    broken = f'{{"img_id": "{name}",\n'
    given = dict(
        classes=[name],
        config=f'{name}.py',
        checkpoint=name,
        score={name: 1.0},
        model=name,
        dataset={name: name, 'type': name, 'ann_file': name},
        resnet={'name': name},
    )
    text = page(tmp_path, [*records, broken], **given)
    document, _, data = text.partition('id="data">')
    data = data.split('</script>')[0]
    shown = document + json.dumps(json.loads(data), ensure_ascii=False)
    assert 'cat?[31m???' in document
    assert embedded(text)['runs'][0]['0']['path'] == 'cat?[31m???'
    assert not [c for c in shown if not c.isprintable() and c != '\n']


@pytest.mark.usefixtures('undrawn')
def test_several_evaluations_stand_side_by_side(tmp_path):
    folders = [
        write_log(tmp_path / name, correlated(12, seed), score={'mAP': 0.1 * seed})
        for seed, name in enumerate(['a', 'b'])
    ]
    evaluations = load_evaluations(folders, ['full', 'at most 2'])
    write_images(tmp_path, evaluations[0].records)
    analyze(evaluations, tmp_path / 'out', tmp_path, 0.3)
    text = (tmp_path / 'out' / 'report.html').read_text(encoding='utf-8')
    data = embedded(text)
    assert len(data['runs']) == 2
    assert [trace['name'] for trace in data['charts']['tradeoff']['data']] == ['full', 'at most 2']
    assert {path.name for path in (tmp_path / 'out').glob('*est.png')} == {
        f'{name}_{end}.png' for name in ('1_full', '2_at-most-2') for end in ('easiest', 'hardest')
    }


@pytest.mark.usefixtures('undrawn')
def test_a_table_of_classes_has_a_limited_length(tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, 'MAX_CLASSES', 2)
    names = (['often'], ['often', 'rare'], ['seldom'], ['seldom'])
    text = page(tmp_path, [record(i, class_names=each) for i, each in enumerate(names)])
    assert '<td>often</td>' in text
    assert '<td>seldom</td>' in text
    assert '<td>rare</td>' not in text
    assert 'The 2 classes of most images; all stand in summary.json.' in text
    assert '"rare"' in (tmp_path / 'out' / 'summary.json').read_text()


def test_images_are_chosen_evenly_with_both_ends():
    assert evenly(list(range(100)), 4) == [0, 33, 66, 99]
    assert evenly([7, 3, 5], 4) == [7, 3, 5]
    assert evenly([], 4) == []


@pytest.mark.usefixtures('undrawn')
def test_thousands_of_images_are_thinned_and_say_so(tmp_path):
    records = correlated(8000)
    write_images(tmp_path, records[:60])
    text = page(tmp_path, records)
    assert len(text.encode()) < 6_000_000  # plotly alone is 4.7
    data = embedded(text)
    assert len(data['runs'][0]) <= 3000 + 60
    assert '3000 of its images are drawn as points' in text
    assert 'pictures of 60 of 8000 images' in text
    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())[0]
    assert summary['num_images'] == 8000
    assert {e['spearman']['interval'] for e in summary['associations']} == {'asymptotic'}
