"""Facts of weights in timm's words."""

from __future__ import annotations

import pytest

from iterbackbone import create_model, list_models

pytestmark = pytest.mark.usefixtures('own_weights')
NAME = 'tiny_net.toy'


@pytest.mark.parametrize('options', [{}, dict(features_only=True), dict(num_classes=3)])
def test_facts_in_timms_words(options):
    cfg = create_model(NAME, pretrained=True, **options).pretrained_cfg
    assert cfg == {
        'url': 'iterbackbone://tiny_net.toy',
        'license': 'Apache-2.0',
        'num_classes': 5,
        'mean': (127 / 255,) * 3,
        'std': (128 / 255,) * 3,
        'color_order': 'RGB',
        'input_size': (3, 64, 64),
        'crop_pct': 0.875,
    }
    assert create_model('iterative_resnet50_dw', base_channels=4).pretrained_cfg == {}


def test_facts_of_what_is_shipped():
    names = list_models('iterative_resnet50_w32.*', pretrained=True)
    assert len(names) == 2
    for name in names:
        cfg = create_model(name, pretrained=True).pretrained_cfg
        assert {'input_size', 'interpolation', 'crop_pct', 'mean', 'std', 'num_classes'} <= cfg.keys()
        assert all(0 < x < 1 for x in (*cfg['mean'], *cfg['std']))
