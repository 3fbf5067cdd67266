"""A config's toolbox without a default_scope: its model's type tells."""

from __future__ import annotations

import subprocess
import sys

import pytest
from mmengine.config import Config

from iterbackbone.mm.toolboxes import TOOLBOXES, toolbox_of


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


def test_data_sets_load_without_a_word():
    """In a process of its own, as they speak once."""
    load = '\n'.join(f'load_datasets({toolbox!r})\nimport {toolbox}.datasets' for toolbox in TOOLBOXES)
    code = f'from iterbackbone.mm.toolboxes import load_datasets\n{load}'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, ''), done.stderr
