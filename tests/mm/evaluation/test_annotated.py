"""How far boxes lie from annotated ones, with few comparisons."""

from __future__ import annotations

import numpy as np
import pytest

from iterbackbone.mm.evaluation import annotated
from iterbackbone.mm.evaluation.annotated import Annotated, annotated_in, largest_distance

N = 400


@pytest.fixture
def raw():
    corners = np.random.default_rng(0).uniform(0, 1500, (N, 2))
    return Annotated(np.concatenate([corners, corners + 20], axis=1), np.arange(N) % 3)


@pytest.fixture
def compared(monkeypatch):
    """Pairs of boxes that were compared."""
    counts, true = [], annotated._distances

    def counting(*args):
        found = true(*args)
        counts.append(found.size)
        return found

    monkeypatch.setattr(annotated, '_distances', counting)
    return counts


def test_boxes_in_order_are_compared_once(raw, compared):
    assert largest_distance(raw._replace(boxes=raw.boxes + 0.5), raw, None, 1.5) == 0.5
    assert sum(compared) == N


def test_a_wrong_frame_is_seen_by_a_few_boxes(raw, compared):
    assert largest_distance(raw._replace(boxes=raw.boxes / 2 + 3), raw, None, 1.5) == np.inf
    assert sum(compared) <= N + annotated.AT_ONCE * N


def test_some_of_the_boxes_in_another_order(raw):
    part = np.random.default_rng(1).permutation(N)[:300]
    packed = Annotated(raw.boxes[part], raw.labels[part])
    assert largest_distance(packed, raw, None, 1.5) == 0
    other = packed._replace(labels=(packed.labels + 1) % 3)
    assert largest_distance(other, raw, None, 1.5) == np.inf
    assert largest_distance(packed._replace(labels=np.full(300, -1)), raw, None, 1.5) == 0


def test_ignored_ones_come_last_as_they_are_packed():
    flags = [1, 0, 1, 0]
    items = [dict(bbox=[i, 0, i + 1, 1], bbox_label=i, ignore_flag=f) for i, f in enumerate(flags)]
    assert annotated_in(dict(instances=items)).labels.tolist() == [1, 3, 0, 2]
    assert annotated_in(dict(instances=[])).boxes.shape == (0, 4)
