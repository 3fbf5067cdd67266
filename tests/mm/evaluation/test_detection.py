"""Objects and boxes from mmdet's data samples, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet.datasets.transforms import PackDetInputs
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from torch import nn

from iterbackbone.mm.evaluation.detection import is_detection
from iterbackbone.mm.evaluation.sample_record import SampleReader

CLASSES = ('cat', 'dog', 'person')
UNKNOWN = 'where in the original image the boxes lie cannot be known'


class Images:
    """A data set of names and, of its only image, instances."""

    def __init__(self, classes=CLASSES, instances=None):
        self.metainfo = dict(classes=classes)
        self.info = {} if instances is None else dict(instances=instances)

    def get_data_info(self, index):
        return self.info


def annotated(data):
    """The instances of a data set that were packed as they are."""
    found = []
    for flag, packed in enumerate((data.gt_instances, data.ignored_instances)):
        labels = packed.labels if 'labels' in packed else [None] * len(packed)
        for box, label in zip(packed.get('bboxes', ()), labels, strict=True):
            item = dict(bbox=box.tolist(), ignore_flag=flag)
            found.append(item if label is None else dict(item, bbox_label=int(label)))
    return found


def instances(boxes, labels, **more):
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return InstanceData(bboxes=boxes, labels=torch.tensor(labels, dtype=torch.int64), **more)


def sample(true=((), ()), difficult=((), ()), **metainfo):
    data = DetDataSample(metainfo=dict(ori_shape=(50, 100), img_id=7, **metainfo))
    data.gt_instances, data.ignored_instances = instances(*true), instances(*difficult)
    scores = torch.tensor([0.123456, 0.5])
    data.pred_instances = instances([[1, 2, 3, 4.126], [0, 0, 9, 9]], [0, 2], scores=scores)
    return data


def read(data, **dataset):
    """Record and prediction."""
    found = SampleReader(Images(instances=annotated(data), **dataset), nn.Identity())(data, 0)
    assert found.task == 'detection'
    return found.record, found.prediction


def test_objects():
    true = ([[0, 0, 10, 20], [0, 0, 30, 10]], [2, 0])
    record, _ = read(sample(true, ([[0, 0, 99, 49]], [1])))
    assert record == {
        'img_id': 7,
        'img_path': None,
        'height': 50,
        'width': 100,
        'num_objects': 2,
        'num_difficult': 1,
        'mean_object_area': 250.0,
        'mean_relative_area': 0.05,
        'class_names': ['cat', 'person'],
    }


def test_no_objects():
    fields, prediction = read(sample())
    assert (fields['num_objects'], fields['num_difficult']) == (0, 0)
    assert fields['mean_object_area'] is None
    assert fields['mean_relative_area'] is None
    assert prediction['true'] == {'boxes': [], 'labels': []}


def test_no_annotations():
    image = dict(img=np.zeros((50, 100, 3), np.uint8), ori_shape=(50, 100), img_id=7)
    data = PackDetInputs(meta_keys=('ori_shape', 'img_id')).transform(image)['data_samples']
    data.pred_instances = instances([], [], scores=torch.zeros(0))
    record, prediction = read(data)
    assert {value for name, value in record.items() if 'num' in name or 'area' in name} == {None}
    assert record['class_names'] is None
    empty = {'boxes': [], 'labels': [], 'scores': []}
    assert prediction == {'img_id': 7, 'img_path': None, 'predicted': empty}


def test_labels_without_class_names():
    record, _ = read(sample(([[0, 0, 9, 9]], [2])), classes=('cat',))
    assert record['class_names'] == ['2']


@pytest.mark.parametrize('name', ['Background', '__background__', 'BG', 'void'])
def test_boxes_of_the_background_are_no_objects(name):
    record, _ = read(sample(([[0, 0, 99, 49], [0, 0, 10, 20]], [0, 1])), classes=(name, 'dog'))
    assert (record['num_objects'], record['mean_object_area']) == (1, 200.0)
    assert record['class_names'] == ['dog']


def test_boxes_without_labels():
    data = sample(difficult=([[0, 0, 99, 49]], [1]))
    del data.ignored_instances.labels
    record, prediction = read(data)
    assert record['num_difficult'] == 1
    assert prediction['difficult'] == {'boxes': [[0, 0, 99, 49]], 'labels': [-1]}
    data.gt_instances = InstanceData(bboxes=torch.tensor([[0.0, 0, 10, 20]]))
    record, _ = read(data)
    assert (record['num_objects'], record['class_names']) == (1, [])


def test_rotated_boxes_have_no_size():
    data = sample()
    data.gt_instances = InstanceData(bboxes=torch.zeros(4, 5), labels=torch.zeros(4).long())
    record, prediction = read(data)
    assert (record['num_objects'], record['mean_object_area']) == (4, None)
    assert 'true' not in prediction


def test_predictions():
    _, prediction = read(sample(([[0, 0, 10, 20]], [1])))
    assert prediction['predicted'] == {
        'boxes': [[1, 2, 3, 4.13], [0, 0, 9, 9]],
        'labels': [0, 2],
        'scores': [0.12346, 0.5],
    }
    assert prediction['true'] == {'boxes': [[0, 0, 10, 20]], 'labels': [1]}
    assert prediction['difficult'] == {'boxes': [], 'labels': []}


def test_boxes_in_half_precision():
    data = sample()
    data.pred_instances.bboxes = data.pred_instances.bboxes.bfloat16()
    assert read(data)[1]['predicted']['boxes'] == [[1, 2, 3, 4.12], [0, 0, 9, 9]]


def test_boxes_of_zeros_beside_masks_are_those_of_the_masks():
    """As SOLO's heads fill them in; masks are in the original frame."""
    data = sample()
    masks = torch.zeros(2, 50, 100, dtype=torch.bool)
    masks[0, 10:30, 20:60] = True
    data.pred_instances.bboxes.zero_()
    data.pred_instances.masks = masks
    _, prediction = read(data)
    assert prediction['predicted']['boxes'] == [[20, 10, 60, 30], [0, 0, 0, 0]]


def test_annotated_masks_alone_are_objects_without_size():
    data = sample()
    masks = BitmapMasks(np.zeros((2, 50, 100), np.uint8), 50, 100)
    data.gt_instances = InstanceData(masks=masks, labels=torch.tensor([0, 1]))
    found = SampleReader(Images(instances=[dict(mask=[])] * 2), nn.Identity())(data, 0)
    assert (found.record['num_objects'], found.record['mean_object_area']) == (2, None)
    assert found.record['class_names'] == ['cat', 'dog']
    assert 'true' not in found.prediction


def test_only_samples_with_boxes_or_masks_are_detections():
    assert is_detection(sample())
    assert not is_detection(DetDataSample())
    data = DetDataSample(pred_instances=InstanceData(masks=torch.zeros(1, 2, 2)))
    assert is_detection(data)


def test_boxes_are_null_where_the_data_set_does_not_say_them():
    data = sample(([[0, 0, 20, 80]], [1]))
    found = SampleReader(Images(), nn.Identity())(data, 0)
    assert (found.record['num_objects'], found.record['class_names']) == (1, ['dog'])
    assert found.record['mean_object_area'] is found.record['mean_relative_area'] is None
    assert not {'true', 'predicted'} & found.prediction.keys()
    told = SampleReader(Images(), nn.Identity())(sample(([[0, 0, 20, 80]], [1]), flip=False), 0)
    assert 'predicted' in told.prediction


def test_instances_with_tensors_and_without_numbers_for_labels():
    data = sample(([[0, 0, 20, 40]], [1]))
    for label in (1, torch.tensor(1), 1.0, None):
        item = dict(bbox=torch.tensor([0, 0, 20, 40]), bbox_label=label)
        found = SampleReader(Images(instances=[item]), nn.Identity())(data, 0)
        labels = found.prediction['true']['labels']
        assert (found.record['mean_object_area'], labels) == (800.0, [-1 if label is None else 1])
    found = SampleReader(Images(instances=[dict(item, bbox_label='dog')]), nn.Identity())(data, 0)
    assert (found.record['mean_object_area'], found.record['class_names']) == (None, ['dog'])
    assert 'true' not in found.prediction  # no prediction would have such a label


def test_a_field_of_ones_own_that_is_called_images():
    dataset = Images(instances=[dict(bbox=[0, 0, 20, 40], bbox_label=1)])
    data = sample(([[0, 0, 20, 40]], [1]))
    for images in (['a.jpg', 'b.jpg'], [dict(camera=1)], 2):
        dataset.info['images'] = images
        found = SampleReader(dataset, nn.Identity())(data, 0)
        assert found.record['mean_object_area'] == 800.0


def test_labels_of_a_data_set_are_not_read_where_no_annotations_were_loaded():
    data = sample(flip=False)
    del data.gt_instances, data.ignored_instances
    named = [dict(bbox=[0, 0, 9, 9], bbox_label='cat')]
    found = SampleReader(Images(instances=named), nn.Identity())(data, 0)
    assert found.record['num_objects'] is None
    assert 'predicted' in found.prediction


def test_what_cannot_be_known_is_said_once(monkeypatch):
    said = []
    monkeypatch.setattr(
        'iterbackbone.mm.evaluation.sample_record.print_log', lambda text, *_: said.append(text)
    )
    reader = SampleReader(Images(), nn.Identity())
    for _ in range(3):
        reader(sample(([[0, 0, 20, 80]], [1])))
    assert len(said) == 1
    assert said[0].startswith(UNKNOWN)
