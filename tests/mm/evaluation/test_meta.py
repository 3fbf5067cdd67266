"""What data sets and metrics say of themselves, in the schema's words."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset, VOCDataset
from mmengine.model import BaseTTAModel, MMFullyShardedDataParallel

from iterbackbone.log.fields import Text
from iterbackbone.log.meta_schema import Metric
from iterbackbone.log.parsing import Parser, to_line
from iterbackbone.mm.evaluation.meta import (
    class_names,
    has_crowds,
    palette_of,
    parameter_counts,
    plain_metric,
)


@pytest.mark.parametrize(
    ('metric', 'written'),
    [
        (np.float64(0.5), 0.5),
        (torch.tensor([1.0, 2.0]), [1.0, 2.0]),
        ([torch.tensor(1.0), np.float32(2)], [1.0, 2.0]),
        ([1.0, float('nan')], '[1.0, nan]'),
        (torch.eye(2), '[[1.0, 0.0], [0.0, 1.0]]'),
        ({'a': np.float32(1)}, str({'a': np.float32(1)})),
        (float('nan'), None),
        (None, 'None'),
    ],
)
def test_every_metric_can_be_read_again(metric, written):
    assert Parser(dict[Text, Metric], 10**6)(to_line({'m': plain_metric(metric)})) == {'m': written}


def test_names_of_classes_are_texts():
    assert class_names({'classes': np.array(['a', 'b'])}) == ('a', 'b')
    assert class_names({'classes': (0, 1)}) == ('0', '1')
    assert class_names({}) == class_names({'classes': None}) == ()


def test_data_sets_of_cocos_annotations_have_crowds():
    mine = type('Mine', (CocoDataset,), {})
    coco, voc = (kind.__new__(kind) for kind in (mine, VOCDataset))
    joined = SimpleNamespace(datasets=[coco, SimpleNamespace(dataset=coco)])
    assert has_crowds(coco)
    assert has_crowds(joined)
    assert not has_crowds(voc)
    assert not has_crowds(SimpleNamespace(datasets=[coco, voc]))


@pytest.mark.parametrize(
    ('palette', 'written'),
    [
        (np.array([[1, 2, 3], [4, 5, 6]]), [[1, 2, 3], [4, 5, 6]]),
        ([(1, 2, 3), 'odd'], [[1, 2, 3]]),
        ([1, 2, 3], []),
        ('random', []),
        (None, []),
    ],
)
def test_colours_of_classes(palette, written):
    assert palette_of(palette) == written


def test_a_share_of_the_parameters_is_not_their_number():
    model = torch.nn.ModuleDict({'backbone': torch.nn.Linear(2, 3), 'head': torch.nn.Linear(3, 1)})
    assert parameter_counts(model) == {'total': 13, 'backbone': 9}
    assert parameter_counts(Mock(spec=BaseTTAModel, module=model)) == {'total': 13, 'backbone': 9}
    assert parameter_counts(Mock(spec=MMFullyShardedDataParallel, module=model)) == {}
