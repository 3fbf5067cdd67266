"""Detectors that predict in a way of their own: their features, and the reason."""

from __future__ import annotations

import re

import pytest
import torch

from iterbackbone.mm.export.exported import exported
from tests.support.detector_configs import detector_cfg
from tests.support.detectors import contrasts, detector

pytestmark = pytest.mark.slow


def test_features_where_a_transformer_would_see_padding():
    model = detector(detector_cfg('detr', data_preprocessor=dict(pad_size_divisor=32)))
    check_features(model, 'data_preprocessor: it pads images, which the transformer must know')


def test_features_where_regions_halt_at_another_threshold():
    model = detector(detector_cfg('c4', backbone=dict(budget=dict(halting_threshold=0.5))))
    check_features(model, 'roi_head: it halts at another threshold than the backbone')


REFUSED = {
    'soft NMS': (
        'test_cfg.nms.type',
        'soft_nms',
        r'bbox_head: test_cfg\.nms must be of type nms with .*',
    ),
    'all candidates': ('test_cfg.nms_pre', -1, 'bbox_head: test_cfg has no nms_pre'),
    'another coder': (
        'bbox_head.bbox_coder.type',
        'LegacyDeltaXYWHBBoxCoder',
        'bbox_head: LegacyDeltaXYWHBBoxCoder does not act as mmdet.DeltaXYWHBBoxCoder or .*',
    ),
}


@pytest.mark.parametrize('name', REFUSED)
def test_features_of_settings_unknown(name):
    key, value, message = REFUSED[name]
    cfg = detector_cfg('retinanet')
    cfg.merge_from_dict({f'model.{key}': value})
    module = exported(detector(cfg))
    assert module.task == 'features'
    assert re.fullmatch(message, module.reason)


def check_features(model, reason):
    module = exported(model)
    assert (module.task, module.reason) == ('features', reason)
    found = dict(zip(module.outputs, module(torch.from_numpy(contrasts((64, 64))[0])), strict=True))
    levels = [name for name in found if name.startswith('features_')]
    assert levels
    assert list(found) == [*levels, 'iterations', 'macs']
