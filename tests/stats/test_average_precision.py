"""A data set's mean average precision, of one run and of mixtures of several."""

from __future__ import annotations

import numpy as np
import pytest

from iterbackbone.stats.average_precision import COCO_THRESHOLDS, AveragePrecision
from iterbackbone.stats.detection_error import Boxes, image_ap50

NONE = Boxes(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))


def boxes(*found):
    """Of (left edge, label, score): squares of 10 pixels."""
    lefts, labels, scores = (np.array(column) for column in zip(*found, strict=True))
    return Boxes(
        np.stack([lefts, 0 * lefts, lefts + 10, 0 * lefts + 10], axis=1).astype(float), labels, scores
    )


def scene(rng, count):
    """An image's objects and detections near them, some of them wrong or of another class."""
    lefts, labels = rng.integers(0, 300, size=count), rng.integers(0, 3, size=count)
    true = boxes(*zip(lefts, labels, np.ones(count), strict=True))
    near = lefts + rng.integers(-4, 5, size=count)
    guessed = np.where(rng.random(count) < 0.8, labels, 0)
    return true, boxes(*zip(near, guessed, rng.random(count).round(1), strict=True))


def test_by_hand():
    # Class 0: right (.9), a second time (.8), right in the other image (.7): 1 and 2/3 for 2 objects.
    # Class 1: one of two objects after a wrong box: 1/2 for 2 objects. Class 2 is not in the data.
    true = [boxes((0, 0, 1), (50, 1, 1), (90, 1, 1)), boxes((0, 0, 1))]
    found = [
        boxes((0, 0, 0.9), (1, 0, 0.8), (50, 1, 0.5), (70, 1, 0.6), (0, 2, 0.9)),
        boxes((2, 0, 0.7)),
    ]
    expected = 100 * ((1 + 2 / 3) / 2 + 1 / 2 / 2) / 2
    assert AveragePrecision.of_boxes([found], true).each() == pytest.approx([expected])


def test_difficult_objects_are_neither_found_nor_wrong():
    true, difficult = [boxes((0, 0, 1))], [boxes((50, 0, 1))]
    found = [boxes((50, 0, 0.9), (0, 0, 0.5))]
    assert AveragePrecision.of_boxes([found], true, difficult).each() == pytest.approx([100])
    assert AveragePrecision.of_boxes([found], true).each() == pytest.approx([50])


def test_stricter_thresholds():
    # 8 of 12 pixels wide: an overlap of 2/3 counts at 0.5, 0.55, 0.6 and 0.65 of ten thresholds
    score = AveragePrecision.of_boxes([[boxes((2, 0, 0.5))]], [boxes((0, 0, 1))], None, COCO_THRESHOLDS)
    assert COCO_THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
    assert score.each() == pytest.approx([40])


def test_detections_of_one_score_enter_the_curve_together():
    true = [boxes((0, 0, 1)), boxes((0, 0, 1))]
    right, wrong = boxes((0, 0, 0.5)), boxes((40, 0, 0.5))
    for found in ([right, wrong], [wrong, right]):
        assert AveragePrecision.of_boxes([found], true).each() == pytest.approx([100 * 0.5 / 2])


def test_one_image_of_one_class_has_its_ap50():
    rng = np.random.default_rng(0)
    for _ in range(20):
        true, found = scene(rng, 12)
        true, found = (b._replace(labels=np.zeros_like(b.labels)) for b in (true, found))
        found = found._replace(scores=rng.random(12))
        expected = 100 * image_ap50(found, true)
        assert AveragePrecision.of_boxes([[found]], [true]).each() == pytest.approx([expected])


@pytest.fixture(scope='module')
def three_runs():
    """True boxes of 12 images, one without any, and three runs' detections."""
    rng = np.random.default_rng(1)
    scenes = [[scene(rng, 5) for _ in range(12)] for _ in range(3)]
    true = [image[0] for image in scenes[0]]
    shift = rng.integers(-6, 7, size=(3, 12, 5, 1)) * [1, 0, 1, 0]
    runs = [
        [
            true[i]._replace(boxes=true[i].boxes + shift[r, i], scores=scenes[r][i][1].scores)
            for i in range(12)
        ]
        for r in range(3)
    ]
    true[7], runs[1][3] = NONE, NONE
    return true, runs


def test_what_is_put_together_has_the_score_of_its_parts(three_runs):
    true, runs = three_runs
    scores = AveragePrecision.of_boxes(runs, true)
    choice = np.random.default_rng(2).integers(3, size=(5, 12))
    for row, found in zip(choice, scores.chosen(choice), strict=True):
        whole = AveragePrecision.of_boxes([[runs[r][i] for i, r in enumerate(row)]], true)
        assert found == pytest.approx(whole.each()[0])
    assert scores.each() == pytest.approx(scores.chosen(np.repeat([[0], [1], [2]], 12, axis=1)))


def test_a_resample_has_the_score_of_its_images(three_runs):
    true, runs = three_runs
    scores = AveragePrecision.of_boxes(runs, true)
    drawn = np.random.default_rng(3).integers(12, size=12)
    whole = AveragePrecision.of_boxes([[runs[2][i] for i in drawn]], [true[i] for i in drawn])
    counts = np.bincount(drawn, minlength=12)[None].astype(float)
    assert scores.mixed(np.array([[0, 0, 1.0]]), counts) == pytest.approx(whole.each())


def test_take(three_runs):
    true, runs = three_runs
    part = AveragePrecision.of_boxes(runs, true).take([2, 0])
    whole = AveragePrecision.of_boxes([runs[2], runs[0]], true)
    assert (part.num_runs, part.num_images) == (2, 12)
    assert part.each() == pytest.approx(whole.each())


def test_batches_change_nothing(three_runs, monkeypatch):
    true, runs = three_runs
    scores = AveragePrecision.of_boxes(runs, true)
    arguments = np.full((9, 3), 1 / 3), np.random.default_rng(4).integers(3, size=(9, 12)).astype(float)
    whole = scores.mixed(*arguments)
    monkeypatch.setattr('iterbackbone.stats.average_precision.AT_ONCE', 1)
    assert scores.mixed(*arguments) == pytest.approx(whole)


def test_bad_input_is_named():
    true = [boxes((0, 0, 1))]
    with pytest.raises(
        ValueError, match=r'must be of the same images, with objects; got \[1, 2\] images'
    ):
        AveragePrecision.of_boxes([[NONE, NONE]], true)
    with pytest.raises(ValueError, match=r'got .* 0 classes'):
        AveragePrecision.of_boxes([[NONE]], [NONE])
