"""Teachers and momentum copies beside the trained network: no loss, scalar or steering counts them."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn

from iterbackbone.core.macs import mac_table
from iterbackbone.mm import AnytimeHook, PonderCostHook
from tests.support.classifier_runs import BACKBONE
from tests.support.networks import stop_at_once, varied
from tests.support.tiny_training import (
    LabelledImages,
    Spy,
    TinyClassifier,
    TinyImages,
    labelled_loader,
    train_tiny,
)

COPY = 'train/frozen.encoder_k.module.0.'


class TwoViews(LabelledImages):
    """Each image twice."""

    def __getitem__(self, i):
        item = super().__getitem__(i)
        return {**item, 'inputs': [item['inputs']] * 2}


class StopAfterStepOne(Hook):
    """Then the trained backbone takes one iteration, its copy still all."""

    priority = 'LOWEST'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        stop_at_once(runner.model.backbone)


def test_moco_sees_its_trained_backbone_only(tmp_path):
    init_default_scope('mmpretrain')
    backbone = dict(BACKBONE, out_indices=(1,))
    neck = dict(type='MoCoV2Neck', in_channels=8, hid_channels=8, out_channels=4, with_avg_pool=True)
    head = dict(type='ContrastiveHead', loss=dict(type='CrossEntropyLoss'), temperature=0.2)
    spy = Spy()
    runner = Runner(
        model=dict(
            type='MoCo',
            queue_len=8,
            feat_dim=4,
            momentum=1e-6,  # the copy stays as it is
            backbone=backbone,
            neck=neck,
            head=head,
            data_preprocessor=dict(type='SelfSupDataPreprocessor'),
        ),
        work_dir=str(tmp_path),
        train_dataloader={
            **labelled_loader(TwoViews(8), 4),
            'collate_fn': dict(type='default_collate'),
        },
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        custom_hooks=[PonderCostHook(weight=0.25, target=0.9), spy, StopAfterStepOne()],
        default_scope='mmpretrain',
        experiment_name=tmp_path.name,
        log_level='WARNING',
    )
    runner.train()
    scalars, outputs = spy.steps[1]['scalars'], spy.steps[1]['outputs']
    table = mac_table(runner.model.backbone, (8, 8))
    share = table.total([1, 1]) / table.highest
    assert scalars['train/macs_share'] == pytest.approx(1 + (share - 1) / 5, rel=1e-6)
    assert scalars['train/ponder_cost'] == pytest.approx(4, rel=1e-6)  # N + R = 2 in both stages
    assert outputs['loss_ponder'] == pytest.approx(0.25 * 4, rel=1e-6)
    for stage, full in ((0, 2), (1, 3)):
        assert scalars[f'train/iterations_stage{stage}'] == 1
        assert scalars[f'train/one_iteration_stage{stage}'] == 1
        assert scalars[f'{COPY}iterations_stage{stage}'] == full
        assert scalars[f'{COPY}one_iteration_stage{stage}'] == 0


class Taught(TinyClassifier):
    """A classifier with a teacher, the student called for each half of the batch."""

    def __init__(self, frozen, **backbone):
        super().__init__(**backbone)
        self.teacher = copy.deepcopy(self.backbone).requires_grad_(not frozen)

    def forward(self, inputs, labels=None, mode='tensor'):
        features = torch.cat([self.backbone(part)[-1] for part in inputs.split([1, 3])])
        with torch.no_grad():
            self.teacher(inputs)
        return {'loss_cls': nn.functional.cross_entropy(self.head(features.mean(dim=(2, 3))), labels)}


@pytest.mark.parametrize('frozen', [True, False], ids=['frozen', 'called without gradient'])
def test_a_teacher_is_neither_counted_nor_steered_nor_held(tmp_path, frozen):
    model = Taught(frozen)
    stop_at_once(model.teacher)
    before = [p.clone() for p in model.teacher.parameters()]
    hook = PonderCostHook(weight=0.25, target=0.5, halting_warmup=0.5)
    steps, _ = train_tiny(tmp_path, hook, max_iters=4, model=model, interval=1, lr=0.0)
    assert all(torch.equal(a, b) for a, b in zip(before, model.teacher.parameters(), strict=True))
    assert [step['scalars']['train/macs_share'] for step in steps] == [1] * 4
    last = steps[-1]
    assert last['scalars']['train/ponder_cost'] == pytest.approx(last['outputs']['loss_ponder'] / 0.25)
    assert last['scalars']['train/iterations_stage1'] == 4
    assert steps[1]['scalars']['train/frozen.teacher.iterations_stage1'] == 1  # in the warm-up, too


def test_all_calls_of_a_step_count(tmp_path):
    """With an interval of 1 the last call's rows only were logged."""
    model, seen = Taught(frozen=True, norm_eval=True), []
    model.backbone.register_forward_hook(lambda net, *_: seen.append(net.trace.iterations.clone()))
    varied(model.backbone.train(), TinyImages(8).images)
    seen.clear()
    steps, _ = train_tiny(tmp_path, PonderCostHook(), max_iters=3, model=model, interval=2, lr=0.0)
    rows = torch.cat(seen[:4]).float()
    assert [len(part) for part in seen] == [1, 3] * 3
    for stage in (0, 1):
        iterations, scalars = rows[:, stage], steps[1]['scalars']
        assert scalars[f'train/iterations_stage{stage}'] == pytest.approx(iterations.mean().item())
        spread = iterations.std(correction=0).item()
        assert scalars[f'train/iterations_std_stage{stage}'] == pytest.approx(spread)
        share = (iterations == 1).float().mean().item()
        assert scalars[f'train/one_iteration_stage{stage}'] == pytest.approx(share)


class StopLater(Hook):
    """After the second step the student no longer tells images apart; its teacher does."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 1:
            stop_at_once(runner.model.backbone)


def test_the_warning_is_of_the_student(tmp_path, monkeypatch):
    model, messages = Taught(frozen=True, norm_eval=True), []
    for net in (model.backbone, model.teacher):
        varied(net.train(), TinyImages(8).images)
    monkeypatch.setattr('mmengine.logging.MMLogger.warning', lambda _, text: messages.append(text))
    train_tiny(tmp_path, PonderCostHook(), 4, model, interval=2, lr=0.0, more_hooks=[StopLater()])
    assert 'stage1 no longer differs between images: all take 1 iterations a block' in messages
    assert messages[-1].endswith('the same iterations in: stage0 (1), stage1 (1)')


class TwoBackbones(TinyClassifier):
    """Such as one for images and one for depth maps."""

    def __init__(self):
        super().__init__()
        self.other = copy.deepcopy(self.backbone)

    def forward(self, inputs, labels=None, mode='tensor'):
        losses = super().forward(inputs, labels, mode)
        return {**losses, 'loss_other': self.other(inputs)[-1].mean()}


def test_each_of_two_backbones_has_its_names(tmp_path):
    model = TwoBackbones()
    stop_at_once(model.other)
    steps, _ = train_tiny(tmp_path, PonderCostHook(), max_iters=1, model=model, interval=1, lr=0.0)
    scalars = steps[0]['scalars']
    assert scalars['train/iterations_stage1'] == 4
    assert scalars['train/other.iterations_stage1'] == 1
    assert scalars['train/one_iteration_stage0'] == 0
    assert scalars['train/other.one_iteration_stage0'] == 1


@pytest.mark.parametrize('hook', [PonderCostHook, AnytimeHook])
def test_without_a_trained_module_there_is_nothing_to_do(tmp_path, hook):
    model = TinyClassifier()
    model.backbone.requires_grad_(False)
    with pytest.raises(ValueError, match=f'no trainable iterative module: .* remove {hook.__name__}'):
        train_tiny(tmp_path, hook(), model=model)
