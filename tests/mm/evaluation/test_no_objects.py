"""Which labels and pixels are no objects, by the classes' names, the data set and the model."""

from __future__ import annotations

import numpy as np
import pytest
from mmseg.evaluation import IoUMetric
from torch import nn

from iterbackbone.mm.evaluation.sample_record import background_labels, ignore_index

NAMES = [
    'Background',
    'BACKGROUND',
    'back_ground',
    '_background_',
    '__background__',
    'bg',
    'BG',
    'void',
]
NAMES += ['Unlabeled', 'unlabelled', 'un-labeled', 'background clutter', 'clutter/background']
NAMES += ['ignored regions', 'Ignore Region', 'DontCare']


@pytest.mark.parametrize('name', NAMES)
def test_names_of_what_is_no_object(name):
    assert background_labels(('cat', name, 'dog'), {}, nn.Identity()) == {1}


@pytest.mark.parametrize('name', ['backpack', 'avoid', 'ground', 'cat', 'label', 'bgr', 'devoid'])
def test_names_of_objects(name):
    assert background_labels((name,), {}, nn.Identity()) == set()


@pytest.mark.parametrize(
    'metainfo',
    [
        dict(background_index=2),
        dict(bg_idx=np.int64(2)),
        dict(background='sky'),
        dict(void_labels=[2, 9]),
        dict(void_labels=np.array([2, 9])),
    ],
)
def test_the_data_sets_metainfo_says_what_is_no_object(metainfo):
    assert background_labels(('cat', 'dog', 'sky'), metainfo, nn.Identity()) == {2}


class DecodeHead(nn.Module):
    def __init__(self, **says):
        super().__init__()
        self.__dict__.update(says)


def with_head(**says):
    model = nn.Module()
    model.decode_head = nn.ModuleList([DecodeHead(**says)])
    return model


def test_the_heads_index_is_no_object():
    for says in (dict(ignore_index=1), dict(bg_index=1), dict(background_label=1)):
        assert background_labels(('cat', 'dog'), {}, with_head(**says)) == {1}
    assert background_labels(('cat', 'dog'), {}, with_head(ignore_index=255, bg_index=2)) == set()


def test_the_metrics_index_is_ignored_else_the_heads():
    class Evaluator:
        metrics = [object(), IoUMetric(ignore_index=3)]

    assert ignore_index(Evaluator, with_head(ignore_index=0)) == 3
    assert ignore_index(None, with_head(ignore_index=0)) == 0
    assert ignore_index(None, nn.Identity()) == 255
