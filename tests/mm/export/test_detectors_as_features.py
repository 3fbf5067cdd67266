"""Detectors that predict in a way of their own: their features, and the reason."""

from __future__ import annotations

import re

import pytest
import torch

from iterbackbone.__main__ import config_root
from iterbackbone.mm.configs import read_config
from iterbackbone.mm.export.exported import exported
from tests.support.compute import C4, built, narrow_c4
from tests.support.detectors import contrasts, detector, detector_cfg
from tests.support.drop_in_runs import families, family_config

pytestmark = pytest.mark.slow

SMALL = {
    'Mask R-CNN': {'model.roi_head.bbox_head.fc_out_channels': 8},
    'Cascade R-CNN': {},
    'DETR': {'model.encoder.num_layers': 1, 'model.decoder.num_layers': 1},
}
OWN_WAY = {
    'Mask R-CNN': 'roi_head: it predicts masks',
    'Cascade R-CNN': 'roi_head: CascadeRoIHead predicts in its own way',
    'DETR': 'DETR is neither a single-stage detector nor one with RPN and RoIs',
}


@pytest.mark.parametrize('name', OWN_WAY)
def test_features_of_others(name, tmp_path):
    (family,) = [family for family in families('mmdet') if family.name == name]
    cfg = family_config(family, tmp_path)
    cfg.merge_from_dict(SMALL.get(name, {}))
    check_features(built(cfg), OWN_WAY[name])


def test_features_of_the_c4_detector():
    cfg = read_config(config_root() / C4)
    narrow_c4(cfg)
    check_features(built(cfg), 'roi_head: it has a shared head')


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
        'bbox_head: LegacyDeltaXYWHBBoxCoder is no DeltaXYWHBBoxCoder or DistancePointBBoxCoder',
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
