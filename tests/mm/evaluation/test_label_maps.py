"""mmseg's data samples as label maps and their fields, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample

from iterbackbone.mm.evaluation.segmentation import (
    is_segmentation,
    label_map_fields,
    label_maps,
    plane,
    true_label_map,
)
from tests.support.segmentation_runs import CLASSES, NOWHERE, maps_of, sample


def test_fields():
    true = np.zeros((10, 10), int)
    true[:5] = 2  # 50 pixels of dog above 50 of background
    true[:, 9] = 255
    predicted = np.zeros((10, 10), int)
    predicted[:4] = 2
    fields = label_map_fields(maps_of(sample(predicted, true)), CLASSES, {0})
    # Labelled: 9 columns. Dog: 36 of 45 right, background: 45 of 54. Boundary: 2 rows of 10.
    assert fields == {
        'num_objects': 1,
        'num_difficult': None,
        'mean_object_area': 45.0,
        'mean_relative_area': 0.45,
        'num_classes': 2,
        'boundary_fraction': 0.2,
        'class_names': ['background', 'dog'],
        'miou': pytest.approx((36 / 45 + 45 / 54) / 2),
        'pixel_accuracy': pytest.approx(0.9),
    }


def test_background_is_an_object_where_nothing_says_that_it_is_none():
    true = np.zeros((10, 10), int)
    fields = label_map_fields(maps_of(sample(true, true)), ('wall', 'floor'))
    assert (fields['num_objects'], fields['mean_object_area']) == (1, 100.0)


def test_ignored_pixels_are_those_of_mmsegs_metric():
    true, predicted = torch.randint(0, 3, (2, 20, 20))
    areas = IoUMetric.intersect_and_union(predicted, true, 3, 0)
    data = sample(predicted.tolist(), true.tolist())
    maps = label_maps(data, maps_of(data)['true_map'], ignore_index=0)
    assert (maps['true_map'] == np.where(true == 0, 255, true)).all()
    fields = label_map_fields(maps, CLASSES)
    assert fields['pixel_accuracy'] == pytest.approx(float(areas[0].sum() / areas[3].sum()))


def test_a_binary_map_in_half_precision():
    """mmseg compares logits with a threshold; autocast on a CPU makes them bfloat16."""
    data = sample([[0.0, 1.0]], [[0, 255]])
    data.pred_sem_seg.data = data.pred_sem_seg.data.bfloat16()
    maps = maps_of(data)
    assert (maps['predicted_map'].tolist(), maps['true_map'].tolist()) == ([[0, 1]], [[0, 255]])


def test_without_annotations():
    maps = maps_of(sample([[0, 1], [2, 2]]))
    assert list(maps) == ['predicted_map']
    fields = label_map_fields(maps, CLASSES)
    assert set(fields.values()) == {None}
    assert fields.keys() == label_map_fields(maps_of(sample([[0]], [[0]])), CLASSES).keys()


def test_all_ignored():
    fields = label_map_fields(maps_of(sample([[0, 1]], [[255, 255]])), CLASSES)
    assert fields['num_objects'] == fields['num_classes'] == 0
    assert fields['class_names'] == []
    for name in ('mean_object_area', 'boundary_fraction', 'miou', 'pixel_accuracy'):
        assert fields[name] is None


def test_labels_beyond_eight_bits_and_beyond_the_names():
    maps = maps_of(sample([[0, 700]], [[1, 700]]))
    assert maps['predicted_map'].tolist() == [[0, 700]]
    assert label_map_fields(maps, CLASSES)['class_names'] == ['cat', '700']


def test_class_255_is_a_class_where_there_are_more():
    names = [f'class {n}' for n in range(300)]
    data = sample([[255, 255], [0, 3]], [[255, 255], [65535, 3]])
    maps = label_maps(data, plane(data.gt_sem_seg), 65535, len(names))
    assert {kind: m.dtype for kind, m in maps.items()} == dict.fromkeys(maps, np.dtype(np.uint16))
    assert maps['true_map'].tolist() == [[255, 255], [65535, 3]]
    fields = label_map_fields(maps, names)
    assert (fields['class_names'], fields['pixel_accuracy']) == (['class 3', 'class 255'], 1)
    # The index of mmseg's metric stays unlabelled, also in an image of small labels only.
    maps = label_maps(data, np.array([[255, 255], [7, 3]], np.uint8), 255, len(names))
    assert maps['true_map'].tolist() == [[65535, 65535], [7, 3]]


def test_only_samples_with_label_maps_are_segmentations():
    assert is_segmentation(sample([[0]]))
    assert not is_segmentation(SegDataSample())


@pytest.mark.parametrize(
    ('true', 'changed'),
    [([[1, 0]], dict(flip=True, flip_direction='horizontal')), ([[1, 1, 0, 0]], {})],
)
def test_a_changed_map_that_cannot_be_read_again_is_left_out(true, changed):
    data, said = sample([[0, 1]], true), []
    data.set_metainfo(changed)
    assert true_label_map(data, NOWHERE, said.append) is None
    assert len(said) == 1
