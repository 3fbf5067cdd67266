"""A data set whose parts have classes of their own: the log names objects as their part does."""

from __future__ import annotations

import copy
from xml.etree import ElementTree

import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import nn

from iterbackbone.mm.evaluation.meta import classes_of
from iterbackbone.mm.evaluation.sample_record import SampleReader
from tests.support.openmmlab import detector_config

KINDS = ('circle', 'square', 'triangle', 'star', 'ring', 'cross')


@pytest.fixture
def dataset(shapes_root, tmp_path):
    """The scenes, and the scenes with the classes in reverse behind a background."""
    init_default_scope('mmdet')
    config = detector_config(shapes_root, tmp_path).val_dataloader['dataset']
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackDetInputs'),
    ]
    names = (KINDS, ('background', *KINDS[::-1]))
    parts = [
        dict(copy.deepcopy(config), metainfo=dict(classes=each), pipeline=pipeline) for each in names
    ]
    concatenated = dict(type='ConcatDataset', datasets=parts)
    return DATASETS.build(dict(type='RepeatDataset', times=2, dataset=concatenated))


def annotated(path):
    """Names of the objects in an image's annotation file, "difficult" ones left out."""
    file = path.replace('JPEGImages', 'Annotations').replace('.jpg', '.xml')
    items = ElementTree.parse(file).iter('object')
    return {item.findtext('name') for item in items if item.findtext('difficult') != '1'}


def test_each_image_has_the_names_of_its_file(dataset):
    reader = SampleReader(dataset, nn.Identity())
    for index in range(len(dataset)):
        sample = dataset[index]['data_samples']
        sample.pred_instances = InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0))
        sample.pred_instances.labels = torch.zeros(0).long()
        record = reader(sample, index).record
        assert set(record['class_names']) == annotated(record['img_path'])
        assert record['num_objects'] == len(sample.gt_instances)


def test_a_label_has_the_names_of_all_parts(dataset):
    assert classes_of(dataset) == (
        'circle / background',
        'square / cross',
        'triangle / ring',
        'star',
        'ring / triangle',
        'cross / square',
        'circle',
    )
