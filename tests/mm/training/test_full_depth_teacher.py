"""AnytimeHook's second arm: the batch doubled, its full-depth half teaching the other."""

from __future__ import annotations

import contextlib

import pytest
import torch
import torch.nn.functional as F
from mmpretrain.engine import PreciseBNHook
from mmpretrain.models import ImageClassifier

from iterbackbone.mm import AnytimeHook
from iterbackbone.mm.traces import unwrapped
from iterbackbone.mm.training.full_depth_teacher import FullDepthTeacher
from tests.support.classifier_runs import BACKBONE
from tests.support.tiny_training import LabelledImages, labelled_loader, train_tiny


class Seen:
    """What the backbone and the logits' module saw and gave in the first training call."""

    def __init__(self, model):
        self.depths, self.stages, self.logits = None, None, None
        model.backbone.register_forward_hook(self._keep)
        model.head.fc.register_forward_hook(self._keep_logits)

    def _keep(self, module, inputs, outputs):
        if module.training and self.stages is None:
            self.depths = module.iterations()
            self.stages = [f.detach().clone() for f in outputs]

    def _keep_logits(self, module, inputs, logits):
        if torch.is_grad_enabled() and self.logits is None:  # no measurement
            self.logits = logits.detach().clone()


def classifier():
    torch.manual_seed(0)
    return ImageClassifier(
        backbone=dict(BACKBONE, max_iterations=(3, 4)),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(
            type='mmpretrain.LinearClsHead',
            num_classes=2,
            in_channels=8,
            loss=dict(type='mmpretrain.CrossEntropyLoss'),
        ),
        data_preprocessor=dict(
            type='mmpretrain.ClsDataPreprocessor', mean=[0.0], std=[1.0], num_classes=2
        ),
    )


def train(tmp_path, **teacher):
    model = classifier()
    seen = Seen(model)
    loader = labelled_loader(LabelledImages(8), 4)
    loader['sampler'] = dict(type='InfiniteSampler', shuffle=False)
    hook = AnytimeHook(teacher=teacher, measure_every=2)
    steps, runner = train_tiny(
        tmp_path, hook, 2, model, train_dataloader=loader, randomness=dict(seed=3)
    )
    return steps, seen, unwrapped(runner.model)


def test_losses_by_hand(tmp_path):
    steps, seen, _ = train(tmp_path, logits='head.fc', logits_weight=0.5, stages=0.25, temperature=3.0)
    assert seen.depths[:4].tolist() == [[3, 4]] * 4
    assert seen.depths[4:].tolist() != [[3, 4]] * 4
    found = steps[0]['outputs']
    probabilities = (seen.logits[:4] / 3).softmax(1)
    logs = [(x / 3).log_softmax(1) for x in (seen.logits[:4], seen.logits[4:])]
    divergence = (probabilities * (logs[0] - logs[1])).sum(1).mean()
    assert found['loss_anytime_logits'] == pytest.approx(0.5 * 9 * divergence.item(), rel=1e-4)
    full, drawn = seen.stages[1].chunk(2)
    rows = [x.transpose(0, 1).flatten(1) for x in (full, drawn)]
    correlations = [torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(*rows, strict=True)]
    assert not any(c.isnan() for c in correlations)
    wanted = 0.25 * (1 - torch.stack(correlations).mean())
    assert found['loss_anytime_stage1'] == pytest.approx(wanted.item(), abs=1e-3)
    data = LabelledImages(4)
    labels = torch.cat([data[i]['data_samples'].gt_label for i in range(4)] * 2)
    task = F.cross_entropy(seen.logits, labels)
    assert found['loss'] == pytest.approx(task.item(), rel=1e-4)  # mmpretrain logs the head's alone


def test_passes_without_a_loss_are_not_doubled(tmp_path):
    """mmpretrain's hook runs the model on three images in training mode."""
    loader = labelled_loader(LabelledImages(6), 3)
    loader['sampler'] = dict(type='InfiniteSampler', shuffle=False)
    hook = AnytimeHook(teacher=dict(logits='head.fc'), measure_every=0)
    steps, _ = train_tiny(
        tmp_path, hook, 1, classifier(), train_dataloader=loader, more_hooks=[PreciseBNHook()]
    )
    assert len(steps) == 1


def test_the_full_half_is_taught_nothing(tmp_path):
    """Only the drawn half gets a gradient from the losses between the halves."""
    teacher = FullDepthTeacher(logits='head.fc')
    teacher._rows = 8
    logits = torch.randn(8, 2, requires_grad=True)
    teacher._compare_logits(torch.nn.Identity().train(), (), logits)
    teacher._found['loss_anytime_logits'].backward()
    assert logits.grad[:4].abs().sum() == 0
    assert logits.grad[4:].abs().sum() > 0


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        ({'stage': 1}, ValueError, "teacher must be one of .*, got 'stage'"),
        (3, TypeError, 'teacher must be a dict with some of .*, got 3'),
        ({'temperature': 0}, ValueError, r'teacher\.temperature must be above 0'),
        ({'logits': 3}, TypeError, r"teacher\.logits must be a module's name"),
        ({'stages': 'all'}, TypeError, r'teacher\.stages must be a number'),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        AnytimeHook(teacher=options)


def test_logits_of_several_levels_are_refused():
    teacher = FullDepthTeacher(logits='head.fc')
    teacher._rows = 8
    teacher._compare_logits(torch.nn.Identity().train(), (), torch.randn(8, 2))
    for logits in (torch.randn(8, 2), torch.randn(30, 2)):
        with pytest.raises(ValueError, match='called once, with a row for each image'):
            teacher._compare_logits(torch.nn.Identity().train(), (), logits)


def test_batches_of_other_kinds_are_refused():
    teacher = FullDepthTeacher()
    for batch in ({}, dict(inputs=[torch.zeros(3, 8, 8)], data_samples=[])):
        with pytest.raises(ValueError, match='teacher needs batches of a tensor inputs'):
            teacher._double(torch.nn.Identity(), (), dict(batch, mode='loss'))


def test_an_unknown_module(tmp_path):
    with pytest.raises(ValueError, match=r"teacher\.logits must name a module .*'head.linear'"):
        train(tmp_path, logits='head.linear')


def test_after_an_unknown_module_a_right_one_doubles_once():
    model = classifier()
    for name in ('head.typo', 'head.fc'):
        with contextlib.suppress(ValueError):
            FullDepthTeacher(logits=name).attach(model)
    assert len(model._forward_pre_hooks) == 1
