"""What the page says is what a user's own file does, from an empty folder."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from tests.support.drop_in_runs import FULL_WIDTH, families, family_config, snippet
from tests.support.processes import Program

BUILD = """
import sys
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
cfg = Config.fromfile(sys.argv[1])
init_default_scope(cfg.default_scope)
assert 'iterbackbone' not in sys.modules
model = MODELS.build(cfg.model)
backbone = model.backbone
print(type(model).__name__, type(backbone).__module__, backbone.max_iterations)
print(backbone.frozen_stages, backbone.norm_eval, backbone.init_cfg)
print([conv.in_channels for conv in model.neck.lateral_convs])
"""
CONSUMERS = ('neck', 'decode_head', 'auxiliary_head', 'head')


def test_the_pages_config_as_it_stands(tmp_path):
    (tmp_path / 'mine.py').write_text(snippet())
    (tmp_path / 'empty').mkdir()
    program = Program('../mine.py', code=BUILD, cwd=tmp_path / 'empty')
    code, stdout, stderr = program.wait(timeout=100)
    assert code == 0, stderr
    assert stdout.splitlines()[-3:] == [
        'RetinaNet iterbackbone.mm.modules (3, 4, 6, 3)',
        '-1 False None',
        '[512, 1024, 2048]',  # RetinaNet's FPN starts at the second stage
    ]


def consumed(cfg):
    """The channels that the parts behind the backbone expect of it."""
    parts = {name: cfg.model.get(name) or {} for name in CONSUMERS}
    keys = ('in_channels', 'c1_in_channels')
    return {(name, key): part[key] for name, part in parts.items() for key in keys if key in part}


@pytest.mark.parametrize(
    'family',
    [f for library in ('mmdet', 'mmseg', 'mmpretrain') for f in families(library)],
    ids=lambda family: family.name,
)
def test_channels_at_full_width_are_a_resnet_50s(family, tmp_path):
    ours = consumed(family_config(family, tmp_path, width=FULL_WIDTH))
    (tmp_path / 'base.py').write_text(family.lines[0])
    base = consumed(Config.fromfile(tmp_path / 'base.py'))
    assert len(ours) > 0
    assert (ours == base) == (family.name not in ('SegFormer', 'RTMDet', 'YOLOX'))
