"""Counts and sizes of objects, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from iterbackbone.stats.objects import ObjectSummary, summarise_boxes


def test_two_boxes():
    # 10 x 20 = 200 and 30 x 10 = 300 pixels, mean 250, of an image of 100 x 50 = 5000
    summary = summarise_boxes([[0, 0, 10, 20], [5, 5, 35, 15]], height=50, width=100)
    assert summary == ObjectSummary(2, 250.0, 0.05)


def test_no_objects_have_no_size():
    assert summarise_boxes([], height=50, width=100) == ObjectSummary(0, None, None)


def test_a_box_without_area_counts():
    assert summarise_boxes([[3, 3, 3, 9]], height=50, width=100) == ObjectSummary(1, 0.0, 0.0)


def test_shape_is_checked():
    with pytest.raises(ValueError, match=r'boxes must have the shape \(n, 4\), got \(1, 3\)'):
        summarise_boxes([[0, 0, 10]], height=50, width=100)


def test_image_must_have_an_area():
    with pytest.raises(ValueError, match='height and width must be at least 1, got 0 and 100'):
        summarise_boxes([[0, 0, 10, 10]], height=0, width=100)
