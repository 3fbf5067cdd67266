"""AP50 of one image against values worked out by hand and against mmdet's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterbackbone.stats.detection_error import IGNORED, RIGHT, WRONG, Boxes, image_ap50, iou, match

UNIT = [0.0, 0.0, 10.0, 10.0]
HALF = [0.0, 0.0, 10.0, 5.0]  # IoU with UNIT: 50 / 100
FAR = [50.0, 50.0, 60.0, 60.0]
ELSEWHERE = [100.0, 100.0, 120.0, 110.0]


def boxes(*entries):
    """From (box, label, score) or (box, label)."""
    return Boxes.parse(
        'boxes',
        {
            'boxes': [entry[0] for entry in entries],
            'labels': [entry[1] for entry in entries],
            'scores': [entry[2] if len(entry) > 2 else 1.0 for entry in entries],
        },
    )


def test_iou_by_hand():
    # UNIT and its right half shifted by 5: shared 5 x 10 = 50, union 100 + 100 - 50 = 150.
    shifted = [5.0, 0.0, 15.0, 10.0]
    found = iou(np.array([UNIT, FAR]), np.array([UNIT, HALF, shifted]))
    assert found == pytest.approx(np.array([[1, 0.5, 1 / 3], [0, 0, 0]]))


def test_coco_crowds_spare_what_lies_in_them():
    """pycocotools gives 1.0, as it does for one more detection of the object inside the crowd."""
    persons = [([100 + 30.0 * i, 0, 128 + 30 * i, 60], 0, 0.9) for i in range(8)]
    true, crowd = boxes((UNIT, 0)), boxes(([100, 0, 400, 100], 0))
    predicted = boxes(*persons, (UNIT, 0, 0.5))
    assert image_ap50(predicted, true, crowd) == pytest.approx(1 / 9)
    assert image_ap50(predicted, true, crowd, crowds=True) == 1
    assert image_ap50(predicted, true, crowd._replace(labels=crowd.labels + 1), crowds=True) < 0.2
    twice = boxes((HALF, 0, 0.9), (UNIT, 0, 0.8), (FAR, 0, 0.7))
    outcomes = match(twice, true, boxes(([0, 0, 200, 55], 0)), (0.5, 0.95), crowds=True)
    assert outcomes.tolist() == [[RIGHT, IGNORED, IGNORED], [IGNORED, RIGHT, WRONG]]


def test_boxes_without_area_overlap_nothing():
    flat = np.array([[3.0, 3.0, 3.0, 9.0]])
    assert iou(flat, flat).tolist() == [[0.0]]


@pytest.mark.parametrize(
    ('predicted', 'true', 'expected'),
    [
        pytest.param([(UNIT, 0, 0.9)], [(UNIT, 0)], 1.0, id='found'),
        pytest.param([(HALF, 0, 0.9)], [(UNIT, 0)], 1.0, id='an overlap of exactly one half counts'),
        pytest.param([(UNIT, 1, 0.9)], [(UNIT, 0)], 0.0, id='another class'),
        pytest.param([], [(UNIT, 0)], 0.0, id='nothing predicted'),
        pytest.param([(UNIT, 0, 0.9)], [(UNIT, 0), (FAR, 0)], 0.5, id='one of two'),
        # Ranking wrong, right: recall 1 at precision 1/2.
        pytest.param([(FAR, 0, 0.9), (UNIT, 0, 0.8)], [(UNIT, 0)], 0.5, id='a better score is wrong'),
        # Right, wrong: precision 1 when recall 1 is reached.
        pytest.param([(UNIT, 0, 0.9), (FAR, 0, 0.8)], [(UNIT, 0)], 1.0, id='a lower score is wrong'),
        # The second hit on the same object is wrong: right, wrong, right -> 1/2 * 1 + 1/2 * 2/3.
        pytest.param(
            [(UNIT, 0, 0.9), (UNIT, 0, 0.8), (FAR, 1, 0.7)],
            [(UNIT, 0), (FAR, 1)],
            0.5 + 0.5 * 2 / 3,
            id='a duplicate is wrong',
        ),
        # Wrong, right, right: precision 1/2 then 2/3, made non-increasing: 2/3 at both recalls.
        pytest.param(
            [(ELSEWHERE, 0, 0.9), (UNIT, 0, 0.8), (FAR, 0, 0.7)],
            [(UNIT, 0), (FAR, 0)],
            2 / 3,
            id='the envelope',
        ),
    ],
)
def test_average_precision_by_hand(predicted, true, expected):
    assert image_ap50(boxes(*predicted), boxes(*true)) == pytest.approx(expected)


def test_detections_on_difficult_objects_are_left_out():
    predicted = boxes((FAR, 0, 0.9), (FAR, 0, 0.85), (UNIT, 0, 0.8))
    true, difficult = boxes((UNIT, 0)), boxes((FAR, 0))
    assert image_ap50(predicted, true, difficult) == 1.0
    assert image_ap50(predicted, true) == pytest.approx(1 / 3)


@pytest.mark.parametrize('difficult', [None, boxes((FAR, 0))])
def test_an_image_without_objects_has_none(difficult):
    assert image_ap50(boxes((UNIT, 0, 0.9)), boxes(), difficult) is None


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 12))
def test_agrees_with_mmdet_for_one_class(seed, num_true, num_predicted):
    mean_ap = pytest.importorskip('mmdet.evaluation.functional.mean_ap')
    generator = np.random.default_rng(seed)
    corner = generator.uniform(0, 30, (num_true + num_predicted, 2))
    coordinates = np.hstack([corner, corner + generator.uniform(5, 30, corner.shape)])
    true, predicted = coordinates[:num_true], coordinates[num_true:]
    scores = generator.permutation(num_predicted) / 100 + 0.01
    rows = np.hstack([predicted, scores[:, None]])[np.argsort(-scores)].astype(np.float32)
    right, wrong = mean_ap.tpfp_default(
        rows, true.astype(np.float32), np.zeros((0, 4), np.float32), iou_thr=0.5
    )
    found = np.cumsum(right[0])
    recall, precision = found / num_true, found / np.maximum(found + np.cumsum(wrong[0]), 1e-9)
    expected = mean_ap.average_precision(recall, precision, 'area')
    actual = image_ap50(
        boxes(*((box, 0, s) for box, s in zip(predicted, scores, strict=True))),
        boxes(*((box, 0) for box in true)),
    )
    assert actual == pytest.approx(float(np.squeeze(expected)), abs=1e-6)


@pytest.mark.parametrize(
    'value',
    [{'boxes': [UNIT], 'labels': []}, {'boxes': [UNIT], 'labels': [0], 'scores': [1, 2]}],
)
def test_boxes_have_a_label_and_a_score_each(value):
    with pytest.raises(ValueError, match='predicted must have a label and a score for each of its 1'):
        Boxes.parse('predicted', value)
