"""Runs of images whose names repeat, or scored against other annotations than the first run."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from iterbackbone.report.aligned_runs import aligned, depths, sources
from iterbackbone.report.evaluation import load_evaluations
from iterbackbone.report.run_outcomes import outcomes
from tests.support.gain_logs import DEPTHS, boxes, classifier_log, detector_log, segmentor_log
from tests.support.logs import record, write_log

N = 4


def test_images_of_one_name_are_grouped_by_path(tmp_path):
    paths = [f'seq{k // 2}/{k % 2}.png' for k in range(6)]
    records = [record(k, img_id=str(k % 2), img_path=path) for k, path in enumerate(paths)]
    runs = aligned(load_evaluations([write_log(tmp_path / name, records) for name in 'ab']))
    message = "groups must name every img_path: 6 lack, such as 'seq0/0.png'"
    with pytest.raises(ValueError, match=message):
        sources(runs, {'0': 'first', '1': 'second'})
    assert sources(runs, {path: path[:4] for path in paths}).tolist() == [p[:4] for p in paths]


def test_images_whose_ids_and_paths_repeat_are_told_apart_by_both(tmp_path):
    records = [record(k, img_id=k // 2, img_path=f'{k % 2}.png') for k in range(4)]
    folders = [write_log(tmp_path / 'a', records), write_log(tmp_path / 'b', records[::-1])]
    first, second = aligned(load_evaluations(folders))
    assert first.records == second.records == records
    with pytest.raises(ValueError, match='groups must name every img_id and img_path: 4 lack'):
        sources([first], {})


def change(folder, name, i, **fields):
    """Other fields on the i-th line of a file."""
    path = folder / f'{name}.jsonl'
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[i] |= fields
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))


def outcomes_of(folders, score):
    return outcomes(aligned(load_evaluations(folders)), score)[0].each()


def refused(folders, score):
    message = r'b and .*a must have the same annotations, but those of image .000002. differ'
    with pytest.raises(ValueError, match=message):
        outcomes_of(folders, score)


@pytest.mark.parametrize(
    'fields',
    [
        dict(true=boxes(100)),
        dict(true={'boxes': [[0, 0, 10, 10]], 'labels': [1]}),
        dict(true={'boxes': [], 'labels': []}),
        dict(difficult=boxes(0)),
    ],
)
def test_other_boxes_are_refused(tmp_path, fields):
    folders = [detector_log(tmp_path / name, [DEPTHS[0]] * N, [0] * N) for name in 'ab']
    change(folders[1], 'predictions', 1, true=boxes(0.01), difficult={'boxes': [], 'labels': []})
    assert outcomes_of(folders, 'ap50').tolist() == [100, 100]
    change(folders[1], 'predictions', 2, **fields)
    refused(folders, 'ap50')


def test_other_label_maps_are_refused(tmp_path):
    folders = [segmentor_log(tmp_path / name, [DEPTHS[0]] * N, [True] * N) for name in 'ab']
    assert outcomes_of(folders, 'mean_iou').tolist() == [100, 100]
    Image.fromarray(np.array([[1, 0], [0, 0]], np.uint8)).save(folders[1] / 'other.png')
    change(folders[1], 'predictions', 2, true_map='other.png')
    refused(folders, 'mean_iou')


def test_other_classes_are_refused(tmp_path):
    folders = [classifier_log(tmp_path / name, [DEPTHS[0]] * N, [True] * N) for name in 'ab']
    change(folders[1], 'records', 1, label=None)
    assert outcomes_of(folders, 'top1').tolist() == [100, 100]
    change(folders[1], 'records', 2, label=1)
    refused(folders, 'top1')


def test_a_region_layer_behind_several_backbones_counts_once(tmp_path):
    layer = {'num_rois': 9, 'mean_roi_iterations': 2.5}
    modules = {'one': {'total_iterations': 2}, 'two': {'total_iterations': 2}, 'head': layer}
    folder = write_log(tmp_path / 'a', [record(0, **layer, modules=modules)])
    (run,) = load_evaluations([folder])
    assert depths(run).tolist() == [[1, 1, 1, 1, 2.5]]
