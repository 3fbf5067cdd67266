"""Reading evaluation folders: what is used, what is said of the rest."""

from __future__ import annotations

import json

import numpy as np
import pytest

from iterbackbone.report.evaluation import load_evaluation, load_evaluations
from tests.support.logs import correlated, prediction_of, record, write_log


def test_a_log_is_read_whole(tmp_path):
    records = [record(0, (1, 2, 3, 1)), record(1, (3, 4, 6, 3), objects=0)]
    evaluation = load_evaluation(write_log(tmp_path / 'test_epoch_1', records))
    assert evaluation.name == 'tiny test_epoch_1'
    assert evaluation.records == records
    assert evaluation.problems == []
    assert evaluation.iterations.tolist() == [[1, 2, 3, 1], [3, 4, 6, 3]]
    assert evaluation.column('num_objects').tolist() == [1, 0]
    assert np.isnan(evaluation.column('mean_object_area')[1])
    # its one object found; none to find
    assert evaluation.errors.tolist() == pytest.approx([0, np.nan], nan_ok=True)


def test_blocks_of_a_stage_are_summed_in_its_limit(tmp_path):
    folder = write_log(
        tmp_path / 'a', [record(0, (2, 3))], max_iterations=[1, 2, 3, 4], blocks_per_stage=[2, 2]
    )
    assert load_evaluation(folder).stage_limits == [3, 7]


def test_bad_lines_of_either_file_are_left_out_and_named(tmp_path):
    records = [record(i) for i in range(5)]
    predictions = [prediction_of(r) for r in records]
    predictions[0]['predicted']['boxes'] = [[0, 0, 'x', 1]]
    predictions[4]['img_id'] = 'another'
    folder = write_log(
        tmp_path / 'a',
        [records[0], '{"img_id": \n', *records[2:]],
        [*predictions[:3], '\n', predictions[4]],
    )
    evaluation = load_evaluation(folder)
    assert [r['img_id'] for r in evaluation.records] == ['000000', '000002', '000003', '000004']
    assert evaluation.errors.tolist() == pytest.approx([np.nan, 0, np.nan, np.nan], nan_ok=True)
    where = [(problem.file.rsplit('/')[-1], problem.line) for problem in evaluation.problems]
    assert where == [
        ('records.jsonl', 2),
        ('records.jsonl', 0),  # and so four of five images are left
        ('predictions.jsonl', 1),
        ('predictions.jsonl', 4),
        ('predictions.jsonl', 5),
    ]
    assert "the line is of image 'another'" in evaluation.problems[-1].reason


def test_boxes_come_from_the_images_own_line(tmp_path):
    records = [record(i, objects=i) for i in range(4)]
    evaluation = load_evaluation(write_log(tmp_path / 'a', ['broken\n', *records[1:]]))
    assert [len(evaluation.boxes(i)['true'].boxes) for i in range(3)] == [1, 2, 3]


def test_without_predictions_the_records_are_still_there(tmp_path):
    folder = write_log(tmp_path / 'a', correlated(3))
    (folder / 'predictions.jsonl').unlink()
    evaluation = load_evaluation(folder)
    assert len(evaluation.records) == 3
    assert [problem.reason for problem in evaluation.problems] == ['the file is missing']
    assert evaluation.boxes(0) == {}
    assert load_evaluation(folder, read_predictions=False).problems == []


@pytest.mark.parametrize(
    ('meta', 'reason'),
    [
        (dict(schema_version=7), 'schema_version: Invalid enum value 7'),
        (dict(max_iterations='3'), "max_iterations: Expected `array`, got `str`, got '3'"),
        (
            dict(max_iterations=[3, 4, 6, 0]),
            r'max_iterations\[3\]: Expected `int` >= 1, got 0',
        ),
        (dict(blocks_per_stage=[1, 1, 1]), 'must add up to the 4 items of max_iterations'),
        (
            dict(classes=[1]),
            r'classes\[0\]: Expected `str`, got `int`, got 1',
        ),
        (
            dict(blocks_per_stage=[4]),
            'no line that can be used; the first problem: .*records.jsonl:1: ',
        ),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_in_words(tmp_path, meta, reason):
    folder = write_log(tmp_path / 'a', correlated(2), **meta)
    with pytest.raises(ValueError, match=reason):
        load_evaluation(folder)


@pytest.mark.parametrize(
    ('dataset', 'error'),
    [
        (dict(type='VOCDataset'), 2 / 3),
        (dict(type='CocoDataset'), 0),  # of a log that does not say it
        (dict(type='Mine', crowds=True), 0),
        (dict(type='CocoDataset', crowds=False), 2 / 3),
    ],
)
def test_difficult_boxes_of_coco_are_crowds(tmp_path, dataset, error):
    crowd = {'boxes': [[100, 0, 400, 100]], 'labels': [0]}
    found = {'boxes': [[100, 0, 120, 60], [200, 0, 220, 60], [0, 0, 9, 9]], 'labels': [0] * 3}
    line = {
        **prediction_of(record(0)),
        'difficult': crowd,
        'true': {'boxes': [[0, 0, 9, 9]], 'labels': [0]},
    }
    line['predicted'] = {**found, 'scores': [0.9, 0.8, 0.5]}
    evaluation = load_evaluation(write_log(tmp_path / 'a', [record(0)], [line], dataset=dataset))
    assert evaluation.errors.tolist() == [pytest.approx(error)]


def test_an_empty_log_is_refused(tmp_path):
    with pytest.raises(ValueError, match='has no line that can be used: it is empty'):
        load_evaluation(write_log(tmp_path / 'a', []))


def test_names_are_told_apart(tmp_path):
    folders = [write_log(tmp_path / part / 'test_epoch_1', correlated(2)) for part in 'ab']
    found = [evaluation.name for evaluation in load_evaluations(folders)]
    assert found == ['tiny test_epoch_1', 'tiny test_epoch_1 (2)']
    assert [e.name for e in load_evaluations(folders, ['x', 'y'])] == ['x', 'y']
    with pytest.raises(ValueError, match='names must be 2, one a folder, got 1'):
        load_evaluations(folders, ['x'])


def test_without_a_config_the_folder_is_the_name(tmp_path):
    folder = write_log(tmp_path / 'test_epoch_1', correlated(2), config=None)
    assert load_evaluation(folder).name == 'test_epoch_1'


def test_meta_that_is_no_json_is_refused(tmp_path):
    folder = write_log(tmp_path / 'a', correlated(2))
    (folder / 'meta.json').write_text(json.dumps(json.loads((folder / 'meta.json').read_text()))[:-5])
    with pytest.raises(ValueError, match=r'meta\.json: not JSON'):
        load_evaluation(folder)


def test_images_that_are_missing_or_repeated_are_reported(tmp_path):
    records = [record(0), record(1), record(1)]
    folder = write_log(tmp_path / 'a', records, [prediction_of(records[0])], dataset={'num_images': 5})
    reasons = [str(problem).rsplit('/')[-1] for problem in load_evaluation(folder).problems]
    assert reasons == [
        'records.jsonl: 3 lines can be used, the data set has 5 images',
        'records.jsonl: 1 lines repeat an image',
        'predictions.jsonl: 2 images have no line',
    ]
