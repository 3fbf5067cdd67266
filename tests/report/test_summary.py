"""The report's numbers on a log small enough to work out by hand."""

from __future__ import annotations

import json

import pytest

from iterbackbone.report.evaluation import load_evaluation
from iterbackbone.report.summary import summarise
from tests.support.logs import correlated, record, write_log

FOUR = [
    record(0, (1, 1, 1, 1), objects=1, relative=0.8),  # circle
    record(1, (1, 2, 1, 1), objects=2, relative=0.4),  # square
    record(2, (1, 2, 3, 1), objects=4, relative=0.2),  # star
    record(3, (1, 1, 4, 3), objects=0),
]


@pytest.fixture(scope='module')
def summary(tmp_path_factory):
    return summarise(load_evaluation(write_log(tmp_path_factory.mktemp('log') / 'a', FOUR)))


def test_iterations(summary):
    iterations = summary['iterations']
    assert iterations['max'] == [3, 4, 6, 3]
    assert iterations['mean'] == [1, 1.5, 2.25, 1.5]
    assert iterations['std'] == pytest.approx([0, 0.5, (27 / 16) ** 0.5, (12 / 16) ** 0.5])
    assert iterations['per_stage'][2] == {'iterations': [1, 3, 4], 'images': [2, 1, 1]}
    total = iterations['total']  # 4, 5, 7, 9
    assert total == pytest.approx({'mean': 6.25, 'std': (59 / 16) ** 0.5, 'lowest': 4, 'highest': 9})


def test_macs(summary):
    macs = summary['macs']
    assert (macs['lowest'], macs['mean'], macs['highest']) == (4e8, 6.25e8, 16e8)
    assert macs['share_of_full'] == 6.25 / 16
    assert macs['share_of_resnet'] == pytest.approx(6.25 / 17)
    assert (macs['observed']['lowest'], macs['observed']['highest']) == (4e8, 9e8)


def test_iterations_are_a_mean_over_all_rois(tmp_path):
    rois = [(100, 1), (0, None), (20, 4)]  # 180 iterations in 120 RoIs
    records = [record(i, num_rois=n, mean_roi_iterations=x) for i, (n, x) in enumerate(rois)]
    found = summarise(load_evaluation(write_log(tmp_path / 'a', records, roi_max_iterations=[4])))
    assert found['rois'] == {'per_image': 40, 'mean_iterations': 1.5, 'max': [4], 'budget': None}
    none = [record(0, num_rois=0, mean_roi_iterations=None)]
    found = summarise(load_evaluation(write_log(tmp_path / 'b', none, roi_max_iterations=[4])))
    assert found['rois']['mean_iterations'] is None


def test_correlations(summary):
    by_field = {entry['field']: entry for entry in summary['associations']}
    # objects 1 2 4 0 against 4 5 7 9: ranks 2 3 4 1 and 1 2 3 4, d = 1 1 1 -3, rho = 1 - 6*12/60.
    count = by_field['num_objects']['spearman']
    assert count['coefficient'] == pytest.approx(-0.2)
    assert count['num_images'] == 4
    # Sizes .8 .4 .2 against 4 5 7: the image without objects has none.
    size = by_field['mean_relative_area']['spearman']
    assert (size['coefficient'], size['num_images']) == (pytest.approx(-1), 3)
    assert {'num_classes', 'boundary_fraction'}.isdisjoint(by_field)


def test_bins(summary):
    bins = summary['bins']['num_objects']
    assert [(b['low'], b['mean'], b['num_images']) for b in bins] == [
        (0, 9, 1),
        (1, 4, 1),
        (2, 5, 1),
        (4, 7, 1),
    ]


def test_errors(summary):
    # Of n objects one is found: AP50 = 1 / n.
    error = summary['error']
    assert error['name'] == '1 - AP50 of the image'
    assert error['overall'] == pytest.approx((0 + 1 / 2 + 3 / 4) / 3)
    assert error['num_images'] == 3
    assert [(b['low'], b['mean']) for b in error['bins']] == [(4, 0), (5, 0.5), (7, 0.75)]


def test_classes(summary):
    assert [row['name'] for row in summary['classes']] == ['circle', 'square', 'star']
    star = summary['classes'][2]
    assert (star['num_images'], star['mean_iterations']) == (1, 7)
    assert (star['share_of_full'], star['mean_error']) == (7 / 16, 0.75)


def test_labels_of_one_name_are_one_class(tmp_path):
    folder = write_log(tmp_path, [record(0, class_names=['cat', 'cat']), record(1)])
    (cat,) = (row for row in summarise(load_evaluation(folder))['classes'] if row['name'] == 'cat')
    assert cat['num_images'] == 1


def test_it_is_json(summary):
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize(
    ('records', 'sentence'),
    [
        pytest.param([record(0)], 'No correlation can be computed: ', id='one image'),
        pytest.param(
            [record(i, objects=i) for i in range(5)], 'No correlation can be computed: ', id='all equal'
        ),
        pytest.param(
            [record(i, (1, i % 3 + 1, 1, 1), objects=0) for i in range(6)],
            'No correlation can be computed: ',
            id='no objects at all',
        ),
    ],
)
def test_what_cannot_be_computed_is_said(tmp_path, records, sentence):
    found = summarise(load_evaluation(write_log(tmp_path / 'a', records)))
    assert found['associations'][0]['words'].startswith(sentence)
    json.dumps(found, allow_nan=False)


def test_without_annotations_there_is_compute_alone(tmp_path):
    fields = ('num_objects', 'num_difficult', 'mean_object_area', 'mean_relative_area', 'class_names')
    records = [{**entry, **dict.fromkeys(fields)} for entry in correlated(5)]
    predictions = [{'img_id': r['img_id'], 'img_path': r['img_path']} for r in records]
    found = summarise(load_evaluation(write_log(tmp_path / 'a', records, predictions)))
    assert (found['associations'], found['partial'], found['error'], found['classes']) == (
        [],
        [],
        None,
        [],
    )
    assert found['macs']['mean'] > 0


def test_older_records_without_the_newer_fields_are_summarised(tmp_path):
    records = [
        {k: v for k, v in r.items() if k not in ('macs_lowest', 'macs_resnet')} for r in correlated(5)
    ]
    macs = summarise(load_evaluation(write_log(tmp_path / 'a', records, resnet=None)))['macs']
    assert (macs['lowest'], macs['resnet'], macs['share_of_resnet']) == (None, None, None)


def test_segmentation_errors_come_from_the_records(tmp_path):
    records = [record(i, (1, 1, 1 + i, 1), miou=0.9 - 0.2 * i, num_classes=2) for i in range(3)]
    folder = write_log(tmp_path / 'a', records, task='segmentation')
    found = summarise(load_evaluation(folder))
    assert found['error']['name'] == '1 - mIoU of the image'
    assert [b['mean'] for b in found['error']['bins']] == pytest.approx([0.1, 0.3, 0.5])
    assert 'num_classes' in [entry['field'] for entry in found['associations']]
