"""Depths of images that have none in one part of the network."""

from __future__ import annotations

import pytest

from iterbackbone.report.evaluation import load_evaluation
from iterbackbone.report.gain_measurement import measure_evaluations
from tests.support.gain_logs import DEPTHS
from tests.support.logs import record, write_log


def test_an_image_without_regions_has_no_depth_of_theirs(tmp_path):
    folders = []
    for name, deep in (
        ('shallow', [0] * 40),
        ('deep', [1] * 40),
        ('policy', [i % 2 for i in range(40)]),
    ):
        entries = [
            record(
                i,
                DEPTHS[3 * deep[i]],
                correct=bool(deep[i]),
                mean_roi_iterations=None if i == 3 else 1.0 + deep[i],
                num_rois=0 if i == 3 else 9,
            )
            for i in range(40)
        ]
        folders.append(write_log(tmp_path / name, entries))
    shallow, deep, policy = map(load_evaluation, folders)
    found = measure_evaluations([policy], [shallow, deep], score='total_iterations')
    assert found.gains[0].shuffled is not None
    assert not any('static' in note for note in found.notes)


@pytest.mark.parametrize('only', [0, 1])  # one of the two halves
def test_a_half_without_regions_has_depths(tmp_path, only):
    folders = []
    for name, deep in (
        ('shallow', [0] * 40),
        ('deep', [1] * 40),
        ('policy', [i % 2 for i in range(40)]),
    ):
        regions = {only: dict(mean_roi_iterations=1.0 + deep[only], num_rois=9)}
        none = dict(mean_roi_iterations=None, num_rois=0)
        entries = [
            record(i, DEPTHS[3 * deep[i]], correct=bool(deep[i]), **regions.get(i, none))
            for i in range(40)
        ]
        folders.append(write_log(tmp_path / name, entries))
    shallow, deep, policy = map(load_evaluation, folders)
    found = measure_evaluations([policy], [shallow, deep], score='total_iterations')
    assert found.gains[0].shuffled is not None


def test_shares_are_of_one_full_depth_whatever_regions_a_run_has(tmp_path):
    folders = []  # of other regions: a run's own full depth is of these
    for name, depths, macs, full in (
        ('shallow', [0] * 40, 4e8, 12e8),
        ('deep', [1] * 40, 16e8, 16e8),
        ('policy', [i % 2 for i in range(40)], 10e8, 14e8),
    ):
        more = dict(macs=int(macs), macs_full=int(full))
        entries = [
            record(i, DEPTHS[3 * deep], correct=bool(deep), **more) for i, deep in enumerate(depths)
        ]
        folders.append(write_log(tmp_path / name, entries))
    shallow, deep, policy = map(load_evaluation, folders)
    found = measure_evaluations([policy], [shallow, deep], score='total_iterations')
    assert [budget.share for budget in found.menu] == [4 / 16, 1]
    assert found.gains[0].share == 10 / 16
    found = measure_evaluations([policy], [shallow, deep], score='total_iterations', rest_macs=4e8)
    assert found.gains[0].share == pytest.approx(14 / 20)


def test_depths_of_several_region_layers_count(tmp_path):
    folders = []  # all that differs is the second layer's depth, the log's mean of both is null
    for name, deep in (
        ('shallow', [0] * 40),
        ('deep', [1] * 40),
        ('policy', [i % 2 for i in range(40)]),
    ):
        entries = [
            record(
                i,
                correct=bool(deep[i]),
                macs=10**8 * (4 + deep[i]),
                num_rois=18,
                mean_roi_iterations=None,
                modules={
                    'backbone': {'total_iterations': 4},
                    'first': {'mean_roi_iterations': 1.0},
                    'second': {'mean_roi_iterations': 1.0 + deep[i]},
                },
            )
            for i in range(40)
        ]
        folders.append(write_log(tmp_path / name, entries))
    shallow, deep, policy = map(load_evaluation, folders)
    found = measure_evaluations([policy], [shallow, deep], score='total_iterations')
    assert [budget.name for budget in found.menu] == ['1/1/1/1/1/1', '1/1/1/1/1/2']
    assert found.gains[0].shuffled is not None
    assert not any('static' in note for note in found.notes)
