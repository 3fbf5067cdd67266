"""Objects and boxes from mmdet's data samples, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet.datasets.transforms import PackDetInputs
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from iterbackbone.mm.detection_record import (
    annotations_are_resized,
    is_detection,
    object_fields,
    prediction_fields,
)

CLASSES = ('cat', 'dog', 'person')


def instances(boxes, labels, **more):
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return InstanceData(bboxes=boxes, labels=torch.tensor(labels, dtype=torch.int64), **more)


def sample(true=((), ()), difficult=((), ())):
    data = DetDataSample(metainfo=dict(ori_shape=(50, 100), scale_factor=(2.0, 4.0), img_id=7))
    data.gt_instances, data.ignored_instances = instances(*true), instances(*difficult)
    scores = torch.tensor([0.123456, 0.5])
    data.pred_instances = instances([[1, 2, 3, 4.126], [0, 0, 9, 9]], [0, 2], scores=scores)
    return data


def test_objects():
    true = ([[0, 0, 10, 20], [0, 0, 30, 10]], [2, 0])
    fields = object_fields(sample(true, ([[0, 0, 99, 49]], [1])), CLASSES, resized=False)
    assert fields == {
        'num_objects': 2,
        'num_difficult': 1,
        'mean_object_area': 250.0,
        'mean_relative_area': 0.05,
        'class_names': ['cat', 'person'],
    }


def test_annotations_loaded_before_resize_are_divided_by_the_scale_factor():
    true = ([[0, 0, 20, 80]], [1])  # 10 x 20 in the original image
    fields = object_fields(sample(true), CLASSES, resized=True)
    assert fields['mean_object_area'] == 200.0
    assert prediction_fields(sample(true), resized=True)['true']['boxes'] == [[0, 0, 10, 20]]


def test_no_objects():
    fields = object_fields(sample(), CLASSES, resized=False)
    assert (fields['num_objects'], fields['num_difficult']) == (0, 0)
    assert fields['mean_object_area'] is None
    assert fields['mean_relative_area'] is None


def test_no_annotations():
    image = dict(img=np.zeros((50, 100, 3), np.uint8), ori_shape=(50, 100))
    data = PackDetInputs(meta_keys=('ori_shape',)).transform(image)['data_samples']
    data.pred_instances = instances([], [], scores=torch.zeros(0))
    fields = object_fields(data, CLASSES, resized=False)
    assert set(fields.values()) == {None}
    assert prediction_fields(data, resized=False) == {
        'predicted': {'boxes': [], 'labels': [], 'scores': []}
    }


def test_labels_without_class_names():
    fields = object_fields(sample(([[0, 0, 9, 9]], [2])), ('cat',), resized=False)
    assert fields['class_names'] == ['2']


def test_boxes_without_labels():
    data = sample(difficult=([[0, 0, 99, 49]], [1]))
    del data.ignored_instances.labels
    assert object_fields(data, CLASSES, resized=False)['num_difficult'] == 1
    expected = {'boxes': [[0, 0, 99, 49]], 'labels': [-1]}
    assert prediction_fields(data, resized=False)['difficult'] == expected
    data.gt_instances = InstanceData(bboxes=torch.tensor([[0.0, 0, 10, 20]]))
    fields = object_fields(data, CLASSES, resized=False)
    assert (fields['num_objects'], fields['class_names']) == (1, [])


def test_rotated_boxes_are_refused():
    data = sample()
    data.gt_instances = InstanceData(bboxes=torch.zeros(4, 5), labels=torch.zeros(4).long())
    with pytest.raises(ValueError, match=r'boxes must have the shape \(n, 4\), got \(4, 5\)'):
        object_fields(data, CLASSES, resized=False)


def test_predictions():
    fields = prediction_fields(sample(([[0, 0, 10, 20]], [1])), resized=False)
    assert fields['predicted']['boxes'] == [[1, 2, 3, 4.13], [0, 0, 9, 9]]
    assert fields['predicted']['labels'] == [0, 2]
    assert fields['predicted']['scores'] == [0.12346, 0.5]
    assert fields['true'] == {'boxes': [[0, 0, 10, 20]], 'labels': [1]}
    assert fields['difficult'] == {'boxes': [], 'labels': []}


def test_only_samples_with_boxes_are_detections():
    assert is_detection(sample())
    assert not is_detection(DetDataSample())


class Named:
    def __init__(self, **fields):
        self.__dict__.update(fields)


def dataset(*names):
    steps = [type(name, (), {})() for name in names]
    return Named(pipeline=Named(transforms=steps))


@pytest.mark.parametrize(
    ('names', 'resized'),
    [
        (('LoadImageFromFile', 'LoadAnnotations', 'Resize', 'PackDetInputs'), True),
        (('LoadImageFromFile', 'Resize', 'LoadAnnotations', 'PackDetInputs'), False),
        (('LoadImageFromFile', 'LoadAnnotations', 'PackDetInputs'), False),
    ],
)
def test_order_of_loading_and_resizing(names, resized):
    plain = dataset(*names)
    assert annotations_are_resized(plain) is resized
    assert annotations_are_resized(Named(dataset=plain)) is resized
    assert annotations_are_resized(Named(datasets=[plain, plain])) is resized


def test_a_dataset_without_pipeline():
    assert annotations_are_resized([1, 2, 3]) is False
