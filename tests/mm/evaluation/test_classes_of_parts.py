"""A data set whose parts have classes of their own: the log numbers them."""

from __future__ import annotations

import copy

import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import nn

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


def test_labels_of_parts_that_differ_have_no_names(dataset):
    reader = SampleReader(dataset, nn.Identity())
    for index in range(len(dataset)):
        sample = dataset[index]['data_samples']
        sample.pred_instances = InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0))
        sample.pred_instances.labels = torch.zeros(0).long()
        record = reader(sample, index).record
        assert record['class_names'] == sorted(map(str, set(sample.gt_instances.labels.tolist())))
        assert record['num_objects'] == len(sample.gt_instances)
