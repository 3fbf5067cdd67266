"""How far boxes lie from annotated ones."""

from __future__ import annotations

import numpy as np
import pytest

from iterbackbone.mm.evaluation.annotated import Annotated, annotated_in, largest_distance

N = 400


@pytest.fixture
def raw():
    corners = np.random.default_rng(0).uniform(0, 1500, (N, 2))
    return Annotated(np.concatenate([corners, corners + 20], axis=1), np.arange(N) % 3)


def test_the_farthest_box_counts_by_its_farthest_coordinate(raw):
    boxes = raw.boxes + 0.5
    boxes[7, 2] += 0.75
    assert largest_distance(raw._replace(boxes=boxes), raw, None, 1.5) == 1.25
    assert largest_distance(raw._replace(boxes=boxes), raw, None, 1.0) == np.inf
    assert largest_distance(raw._replace(boxes=raw.boxes / 2 + 3), raw, None, 1.5) == np.inf


def test_some_of_the_boxes_in_another_order(raw):
    part = np.random.default_rng(1).permutation(N)[:300]
    packed = Annotated(raw.boxes[part], raw.labels[part])
    assert largest_distance(packed, raw, None, 1.5) == 0
    other = packed._replace(labels=(packed.labels + 1) % 3)
    assert largest_distance(other, raw, None, 1.5) == np.inf
    assert largest_distance(packed._replace(labels=np.full(300, -1)), raw, None, 1.5) == 0


def test_boxes_may_be_cut_at_the_images_edge(raw):
    cut = raw._replace(boxes=np.clip(raw.boxes, 0, 1000))
    assert largest_distance(cut, raw, (1000, 1000), 1.5) == 0
    assert largest_distance(raw, raw, (1000, 1000), 1.5) == 0
    assert largest_distance(cut, raw, None, 1.5) == np.inf


def test_no_annotated_box_and_one_that_is_no_number(raw):
    none = annotated_in(dict(instances=[]))
    assert none.boxes.shape == (0, 4)
    assert largest_distance(raw, none, None, 1.5) == np.inf
    broken = raw._replace(boxes=np.where(raw.boxes > 1400, np.nan, raw.boxes))
    assert largest_distance(broken, broken, (1500, 1500), 1.5) == 0
