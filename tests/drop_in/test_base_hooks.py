"""The hooks of the page join those of the base."""

from __future__ import annotations

import re

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import HOOKS, MODELS, init_default_scope

from iterbackbone.mm import AnytimeHook, IterativeResNet
from tests.support.drop_in_runs import FULL_WIDTH, PAGE, SMALL, blocks, snippet
from tests.support.tiny_training import TinyClassifier, train_tiny

OURS = {'AnytimeHook', 'IterationLogHook'}
RTMDET = 'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py'
SOFT_TEACHER = 'mmdet::soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py'
BASES = {
    SOFT_TEACHER: {'MeanTeacherHook'},
    'mmdet::yolox/yolox_s_8xb8-300e_coco.py': {'YOLOXModeSwitchHook', 'SyncNormHook', 'EMAHook'},
    RTMDET: {'EMAHook', 'PipelineSwitchHook'},
    'mmdet::ssd/ssd300_coco.py': {'NumClassCheckHook', 'CheckInvalidLossHook'},
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py': set(),
    'mmpretrain::simsiam/simsiam_resnet50_8xb32-coslr-100e_in1k.py': {'SimSiamHook'},
    'mmpretrain::swav/swav_resnet50_8xb32-mcrop-coslr-200e_in1k-224px-96px.py': {'SwAVHook'},
    'mmpretrain::convnext/convnext-tiny_32xb128_in1k.py': {'EMAHook'},
    'mmpretrain::arcface/resnet50-arcface_8xb32_inshop.py': {
        'PrepareProtoBeforeValLoopHook',
        'SyncBuffersHook',
    },
}


def lines_of(text, name):
    """The assignment to ``name`` in a block of the page."""
    return text[text.index(f'{name} = ') :].split('\n)\n')[0] + '\n)\n'


def config(folder, base, *lines):
    (folder / 'mine.py').write_text('\n'.join([f'_base_ = {base!r}', *lines]))
    return Config.fromfile(folder / 'mine.py')


def names(hooks):
    return {hook['type'].split('.')[-1] for hook in hooks}


@pytest.mark.parametrize('base', BASES, ids=lambda base: base.split('/')[-1])
def test_the_pages_lines_keep_the_hooks_of_every_base(base, tmp_path):
    default_hooks = lines_of(snippet(), 'default_hooks')
    cfg = config(tmp_path, base, default_hooks)
    assert names(cfg.get('custom_hooks', [])) == BASES[base]
    assert names(cfg.default_hooks.values()) > OURS
    assert {'checkpoint', 'logger', 'anytime', 'iteration_log'} <= cfg.default_hooks.keys()
    cfg = config(tmp_path, base, default_hooks, blocks()[1].splitlines()[-1])
    assert names(cfg.custom_hooks) == BASES[base] | {'CheckInvalidLossHook'}


class MeanTeacher(BaseModel):
    """A student, and a teacher that only the base's hook moves."""

    def __init__(self):
        super().__init__()
        self.student, self.teacher = TinyClassifier(), TinyClassifier().requires_grad_(False)
        self.backbone = self.student.backbone  # where Spy looks

    def forward(self, inputs, labels=None, mode='tensor'):
        return self.student(inputs, labels, mode)


def test_the_teacher_moves(tmp_path):
    cfg = config(tmp_path, SOFT_TEACHER, lines_of(snippet(), 'default_hooks'))
    init_default_scope('mmdet')
    hooks = [HOOKS.build(hook) for hook in (*cfg.custom_hooks, cfg.default_hooks.iteration_log)]
    model = MeanTeacher()
    start = model.student.head.weight.clone()
    train_tiny(tmp_path, AnytimeHook(), max_iters=1, model=model, more_hooks=hooks)
    moved = torch.lerp(start, model.student.head.weight, cfg.custom_hooks[0].get('momentum', 0.001))
    torch.testing.assert_close(model.teacher.head.weight, moved)
    assert not torch.equal(moved, start)


def test_the_pages_soft_teacher_is_built(tmp_path):
    pattern = r"`(_base_ = '.+?soft_teacher.+?')` and end with\n`(.+?)`"
    base, end = re.search(pattern, PAGE.read_text()).groups()
    text = re.sub("_base_ = '.+?'", base, snippet(), count=1).replace(FULL_WIDTH, SMALL)
    (tmp_path / 'mine.py').write_text(f'{text}\n{end}\n')
    cfg = Config.fromfile(tmp_path / 'mine.py')
    assert names(cfg.custom_hooks) == BASES[SOFT_TEACHER]
    init_default_scope('mmdet')
    model = MODELS.build(cfg.model)
    for detector in (model.student, model.teacher):
        assert type(detector.backbone) is IterativeResNet
        assert detector.backbone.stages[3].transition.conv.out_channels == 128
        assert detector.neck.in_channels == [16, 32, 64, 128]
