"""The line, the scalars and the picture after an evaluation."""

from __future__ import annotations

import re

import numpy as np
import pytest

from iterbackbone.mm.evaluation.summary import summarise_log
from tests.support.logs import correlated, record, write_log


@pytest.fixture(scope='module', autouse=True)
def _no_pictures():
    """Here they are drawn."""


def test_the_line_a_person_reads(tmp_path):
    folder = write_log(tmp_path / 'val_epoch_1', correlated(60))
    found = summarise_log(folder)
    interval = r'[+-]\d\.\d\d \[[+-]\d\.\d\d, [+-]\d\.\d\d\]'
    assert re.fullmatch(
        r'iterations 3\.0/1\.\d/\d\.\d/1\.0 of 3/4/6/3, backbone 0\.\d+ GMAC \(\d\d% of full\), '
        rf'rho\(objects\) {interval}, rho\(size\) {interval}, {re.escape(str(folder))}',
        found.line,
    )


def test_scalars_and_picture(tmp_path):
    records = [record(i, (1, 2, 1 + i, 1), objects=i + 1, relative=0.5 - 0.1 * i) for i in range(4)]
    found = summarise_log(write_log(tmp_path / 'val_epoch_1', records))
    assert found.scalars == pytest.approx(
        {
            'mean_iterations_stage0': 1,
            'mean_iterations_stage1': 2,
            'mean_iterations_stage2': 2.5,
            'mean_iterations_stage3': 1,
            'gmacs': 0.65,
            'share_of_full': 6.5 / 16,
            'rho_objects': 1,
            'rho_size': -1,
        }
    )
    assert found.picture.dtype == np.uint8
    assert found.picture.ndim == 3
    assert len(np.unique(found.picture)) > 10


def test_an_undefined_correlation_is_said_and_not_plotted(tmp_path):
    found = summarise_log(write_log(tmp_path / 'a', [record(i, objects=i) for i in range(4)]))
    assert 'rho(objects) undefined (' in found.line
    assert 'rho_objects' not in found.scalars


def test_without_annotations_there_is_no_correlation(tmp_path):
    records = [{**entry, 'num_objects': None, 'mean_relative_area': None} for entry in correlated(5)]
    found = summarise_log(write_log(tmp_path / 'a', records))
    assert 'rho' not in found.line
    assert found.picture is None


def test_rois_are_named_where_they_are_counted(tmp_path):
    records = [record(i, num_rois=300, mean_roi_iterations=1.5) for i in range(3)]
    assert 'backbone and RoI head 0.4 GMAC' in summarise_log(write_log(tmp_path / 'a', records)).line


def test_an_empty_evaluation_says_so(tmp_path):
    found = summarise_log(write_log(tmp_path / 'a', []))
    assert found.line.startswith('iterations: ')
    assert 'it is empty' in found.line
    assert (found.scalars, found.picture) == ({}, None)
