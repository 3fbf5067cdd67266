"""Objects, classes and boundaries of label maps, on maps drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from iterbackbone.stats.objects import BORDER, LabelMapSummary, summarise_label_map


def drawn(picture):
    """A label map from rows of digits; a dot is an ignored pixel."""
    rows = picture.split()
    return np.array([[255 if c == '.' else int(c) for c in row] for row in rows], np.uint8)


# 6 x 8 = 48 pixels, 4 of them ignored. Class 0: 16 at the left and 5 at the right; class 1: 11, from
# 3, 3, 3 and 2 in its rows; class 2: 4 + 6 + 2 = 12.
SCENE = drawn("""
    00111.00
    00111.00
    00..1110
    00222211
    00222222
    00000022
""")


def test_components_of_each_class():
    summary = summarise_label_map(drawn('1101 1001 0011'), min_size=1)
    # Class 1: 3 pixels at the left, 4 at the right; class 0: 5 in one piece.
    assert summary.num_objects == 3
    assert summary.mean_object_area == 4.0
    assert summary.mean_relative_area == 4 / 12
    assert summary.num_classes == 2


def test_scene():
    sizes = [16, 5, 11, 12]
    summary = summarise_label_map(SCENE, min_size=1)
    assert summary.num_objects == 4
    assert summary.mean_object_area == sum(sizes) / 4
    assert summary.mean_relative_area == pytest.approx(sum(sizes) / 4 / 48)
    assert summary.num_classes == 3


def test_small_components_do_not_count():
    assert summarise_label_map(SCENE, min_size=11).num_objects == 3
    assert summarise_label_map(SCENE, min_size=12).num_objects == 2
    assert summarise_label_map(SCENE, min_size=12).mean_object_area == 14.0
    few = summarise_label_map(SCENE, min_size=17)
    assert few[:3] == (0, None, None)
    assert few.num_classes == 3  # a class is a class however small


def test_one_pixel_more_or_less_than_the_default_minimum():
    for pixels, objects in ((29, 0), (30, 1)):
        strip = np.zeros((1, 60), np.uint8)
        strip[0, :pixels] = 1
        assert summarise_label_map(strip, background={0}).num_objects == objects


def test_corners_do_not_connect():
    assert summarise_label_map(drawn('10 01'), min_size=1).num_objects == 4


def test_ignored_pixels_separate_objects_and_are_none():
    # As VOC draws its borders: two objects of one class with a border in between.
    summary = summarise_label_map(drawn('11.11 11.11'), min_size=1)
    assert summary == LabelMapSummary(2, 4.0, 0.4, 1, 0.0)


def test_background_is_a_class_and_no_object():
    summary = summarise_label_map(drawn('0011 0011 0000'), min_size=1, background=(0,))
    assert summary[:4] == (1, 4.0, 4 / 12, 2)
    # Boundary: all four of class 1 but the upper right one, and four of class 0 around it.
    assert summary.boundary_fraction == 7 / 12


def test_boundary_by_hand():
    picture = drawn("""
        0001
        0001
        0002
    """)
    # Third column (3), fourth column (3): 6 of 12.
    assert summarise_label_map(picture).boundary_fraction == 0.5


@pytest.mark.parametrize(('gap', 'pixels'), [(0, 2), (1, 2), (BORDER, 2), (BORDER + 1, 0)])
def test_boundaries_are_seen_across_drawn_borders(gap, pixels):
    row = np.array([[0, 0, *[255] * gap, 1, 1, 1]], np.uint8)
    assert summarise_label_map(row).boundary_fraction == pixels / 5
    assert summarise_label_map(row.T).boundary_fraction == pixels / 5


def test_a_boundary_is_not_seen_through_a_labelled_pixel():
    # The 0 and the first 1 face each other, the 1s stand before the 2s.
    assert summarise_label_map(drawn('0.11.1.22')).boundary_fraction == 4 / 6


def test_all_ignored():
    nothing = np.full((4, 5), 255, np.uint8)
    assert summarise_label_map(nothing) == LabelMapSummary(0, None, None, 0, None)


def test_one_class_has_no_boundary():
    assert summarise_label_map(np.zeros((8, 8), int)) == LabelMapSummary(1, 64.0, 1.0, 1, 0.0)


def test_one_pixel():
    one = summarise_label_map(np.zeros((1, 1), np.uint8), min_size=1)
    assert one == LabelMapSummary(1, 1.0, 1.0, 1, 0.0)


@pytest.mark.parametrize(
    ('label_map', 'error', 'message'),
    [
        (np.zeros((1, 2, 3), int), ValueError, r'shape \(H, W\) with pixels, got \(1, 2, 3\)'),
        (np.zeros((0, 3), int), ValueError, r'shape \(H, W\) with pixels, got \(0, 3\)'),
        (np.zeros((2, 3)), TypeError, 'label_map must be of integers, got float64'),
    ],
)
def test_bad_arguments_are_named(label_map, error, message):
    with pytest.raises(error, match=message):
        summarise_label_map(label_map)


sides = st.tuples(st.integers(1, 14), st.integers(1, 14))
label_maps = arrays(np.uint8, sides, elements=st.sampled_from([0, 1, 2, 255]))


@given(label_maps, st.permutations(range(150)))
def test_names_of_classes_do_not_matter(labels, order):
    table = np.array([*order, *range(150, 256)], np.uint8)
    assert summarise_label_map(table[labels], min_size=2) == summarise_label_map(labels, min_size=2)


@given(label_maps, st.integers(1, 4))
def test_transposed_and_mirrored(labels, min_size):
    expected = summarise_label_map(labels, min_size=min_size)
    for other in (labels.T, labels[::-1], labels[:, ::-1]):
        summary = summarise_label_map(other, min_size=min_size)
        assert summary[:1] == expected[:1]
        assert summary == pytest.approx(expected)


@given(label_maps)
def test_against_one_class_at_a_time(labels):
    sizes = []
    for name in set(labels.ravel().tolist()) - {255}:
        components, _ = ndimage.label(labels == name)
        sizes += np.bincount(components.ravel())[1:].tolist()
    summary = summarise_label_map(labels, min_size=1)
    assert summary.num_objects == len(sizes)
    if sizes:
        assert summary.mean_object_area == pytest.approx(np.mean(sizes))
        assert summary.mean_object_area * summary.num_objects == pytest.approx((labels != 255).sum())
