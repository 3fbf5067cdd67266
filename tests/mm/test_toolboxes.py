"""A config's toolbox without a default_scope: its model's type tells."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from iterbackbone.mm.toolboxes import toolbox_of


@pytest.mark.parametrize(
    ('kind', 'toolbox'),
    [
        ('FasterRCNN', 'mmdet'),
        ('EncoderDecoder', 'mmseg'),
        ('ImageClassifier', 'mmpretrain'),
        ('mmseg.EncoderDecoder', 'mmseg'),
    ],
)
def test_the_models_type_tells(kind, toolbox):
    assert toolbox_of(Config(dict(model=dict(type=kind))), 'mine.py') == toolbox


def test_a_class_tells():
    from mmdet.models import RetinaNet

    assert toolbox_of(Config(dict(model=dict(type=RetinaNet))), 'mine.py') == 'mmdet'


def test_an_unknown_type_is_named():
    with pytest.raises(ValueError, match=r"got model type 'Nothing' and no default_scope in mine.py"):
        toolbox_of(Config(dict(model=dict(type='Nothing'))), 'mine.py')
