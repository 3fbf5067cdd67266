"""Agreement of two label maps, against numbers worked out by hand and against mmseg."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from iterbackbone.stats.segmentation_score import SegmentationScore, score_label_map


def test_by_hand():
    true = [[0, 0, 0, 1], [2, 2, 255, 255]]
    predicted = [[0, 0, 1, 1], [2, 3, 1, 0]]
    # Class 0: 2 of 3; class 1: 1 of 2 (the one on an ignored pixel is none); class 2: 1 of 2.
    # Class 3 does not occur. 4 of 6 labelled pixels are right.
    score = score_label_map(predicted, true)
    assert score.miou == pytest.approx((2 / 3 + 1 / 2 + 1 / 2) / 3)
    assert score.pixel_accuracy == pytest.approx(4 / 6)


def test_all_right_and_all_wrong():
    true = np.array([[0, 149], [149, 255]], np.uint8)
    assert score_label_map(np.array([[0, 149], [149, 7]]), true) == SegmentationScore(1.0, 1.0)
    assert score_label_map(np.full((2, 2), 3), true) == SegmentationScore(0.0, 0.0)


def test_nothing_is_labelled():
    assert score_label_map(np.zeros((2, 2), int), np.full((2, 2), 255)) == SegmentationScore(None, None)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r'shape of true \(2, 2\), got \(2, 3\)'):
        score_label_map(np.zeros((2, 3), int), np.zeros((2, 2), int))


@given(
    arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 1, 2, 3, 255])),
    arrays(np.int64, (6, 7), elements=st.integers(0, 3)),
)
def test_as_mmseg_counts(true, predicted):
    torch = pytest.importorskip('torch')
    metric = pytest.importorskip('mmseg.evaluation').IoUMetric
    areas = metric.intersect_and_union(torch.tensor(predicted), torch.tensor(true).long(), 4, 255)
    shared, union, _, total = (area.numpy() for area in areas)
    score = score_label_map(predicted, true)
    if not total.sum():
        assert score == SegmentationScore(None, None)
        return
    there = total > 0
    assert score.miou == pytest.approx((shared / np.maximum(union, 1))[there].mean())
    assert score.pixel_accuracy == pytest.approx(shared.sum() / total.sum())
