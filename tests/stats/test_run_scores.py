"""Scores of mixtures of runs."""

from __future__ import annotations

import numpy as np
import pytest

from iterbackbone.stats.gain import measure
from iterbackbone.stats.run_scores import MeanIoU, MeanScores, rounded
from iterbackbone.stats.segmentation_score import class_overlaps

RNG = np.random.default_rng(0)
UNIONS = RNG.integers(0, 50, size=(3, 9, 4))
SHARED = RNG.integers(0, UNIONS + 1)


def miou(shared, union):
    """Of (n, c) pixels."""
    shared, union = shared.sum(axis=0), union.sum(axis=0)
    return 100 * np.mean(shared[union > 0] / union[union > 0])


def test_mean_scores_by_hand():
    scores = MeanScores([[0, 1, 2], [3, 4, 5]])
    assert scores.each() == pytest.approx([1, 4])
    assert scores.chosen(np.array([[0, 1, 1], [1, 0, 0]])) == pytest.approx([3, 2])
    assert scores.mixed(np.array([[0.25, 0.75]]), np.array([[2.0, 0, 1]])) == pytest.approx(
        [0.25 * 2 / 3 + 0.75 * 11 / 3]
    )
    assert scores.take([1]).values.tolist() == [[3, 4, 5]]


def test_mean_iou_is_of_the_sets_pixels():
    scores = MeanIoU(SHARED, UNIONS)
    assert scores.each() == pytest.approx([miou(SHARED[r], UNIONS[r]) for r in range(3)])
    choice = RNG.integers(3, size=(4, 9))
    images = np.arange(9)
    expected = [miou(SHARED[row, images], UNIONS[row, images]) for row in choice]
    assert scores.chosen(choice) == pytest.approx(expected)
    drawn = RNG.integers(9, size=9)
    counts = np.bincount(drawn, minlength=9)[None].astype(float)
    found = scores.mixed(np.array([[0, 1.0, 0]]), counts)
    assert found == pytest.approx([miou(SHARED[1, drawn], UNIONS[1, drawn])])
    part = scores.take([2, 0])
    assert part.each() == pytest.approx([miou(SHARED[r], UNIONS[r]) for r in (2, 0)])


def test_a_class_without_pixels_has_no_term():
    assert MeanIoU([[[3, 0]]], [[[6, 0]]]).each() == pytest.approx([50])


def test_class_overlaps():
    true = [[0, 0, 1], [1, 255, 2]]
    predicted = [[0, 1, 1], [3, 0, 2]]
    # class 1: true twice, predicted twice, both once; the ignored pixel counts nowhere
    assert class_overlaps(predicted, true, 3).tolist() == [[1, 1, 1], [2, 3, 1]]
    with pytest.raises(ValueError, match='true must be below 2, got 2'):
        class_overlaps(predicted, true, 2)
    with pytest.raises(ValueError, match=r'predicted must have the shape of true \(2, 3\), got \(1,\)'):
        class_overlaps([0], true, 2)


def population(n, seed):
    """Pixels of a policy that takes the deeper of two runs for the half of the images it helps."""
    rng = np.random.default_rng(seed)
    helped = rng.random(n) < 0.5
    share = np.stack([np.full(n, 0.5), 0.5 + 0.2 * helped])[..., None] + rng.normal(0, 0.05, (2, n, 3))
    union = rng.integers(50, 150, size=(2, n, 3))
    shared = union * share
    depth = helped.astype(int)
    images = np.arange(n)
    runs = [np.concatenate([part[depth, images][None], part]) for part in (shared, union)]
    costs = np.stack([1.0 + depth, np.ones(n), 2 * np.ones(n)])
    return MeanIoU(*runs), costs, depth


def test_the_interval_of_a_set_score_covers_the_known_gain():
    # the policy has (0.5 + 0.7) / 2, the budgets 0.5 and 0.6: half of each has 0.55
    known, hits = 5.0, 0
    for seed in range(200):
        scores, costs, depth = population(60, seed)
        found = measure(scores, costs, vertices=[0, 1], resamples=400, seed=seed)
        hits += found.low <= known <= found.high
    assert 179 <= hits <= 198
    with_depths = measure(scores, costs, vertices=[0, 1], choices=depth, resamples=100)
    assert with_depths.shuffled.num_shuffles == 200
    assert with_depths.shuffled.p_value == pytest.approx(1 / 201)
    assert with_depths.shuffled.score == pytest.approx(with_depths.mixture, abs=0.3)
    assert with_depths.shuffled.gain == pytest.approx(known, abs=1.5)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: MeanScores([1, 2]), r'values must be finite, of shape \(r, n\), got \(2,\)'),
        (lambda: MeanScores([[np.nan]]), 'values must be finite'),
        (lambda: MeanIoU([[[1]]], [[[0]]]), 'intersections must lie between 0 and unions'),
        (lambda: MeanIoU([[1]], [[1]]), r'must have the shape \(r, n, c\), got \(1, 1\)'),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_rounded():
    assert rounded([1e-12, -1e-12, 1e-6]).tolist() == [0, 0, 1e-6]
