"""StageDistillationHook inside a real small Runner."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.hooks import Hook
from torch import nn

from iterbackbone.mm import StageDistillationHook
from iterbackbone.mm.training.distillation_hook import build_teacher, stage_loss, supervised_stages
from tests.support.interruption import Interruption
from tests.support.resnets import RunsCode, narrow_resnet
from tests.support.tiny_training import TinyClassifier, train_tiny

LOSSES = ['loss_distill_stage0', 'loss_distill_stage1']
TWO_STAGES = dict(num_stages=2, strides=(1, 2), dilations=(1, 1), expansion=1)


@pytest.fixture
def teacher(tmp_path):
    """Config of a ResNet with two stages of the tiny classifier's shapes, and its checkpoint."""
    return teacher_config(tmp_path / 'teacher.pth')


def teacher_config(path, out_indices=(0, 1), width=4, content=None):
    options = dict(TWO_STAGES, out_indices=out_indices)
    net = narrow_resnet(cifar=True, width=width, **options)
    state = {'backbone.' + key: value for key, value in net.state_dict().items()}
    torch.save(content or {'state_dict': {**state, 'head.fc.bias': torch.zeros(2)}}, path)
    return dict(
        type='mmpretrain.ResNet_CIFAR',
        depth=50,
        stem_channels=width,
        base_channels=width,
        **options,
        init_cfg=dict(type='Pretrained', checkpoint=str(path), prefix='backbone.'),
    )


def two(*rows):
    """Channels with these values at the positions of one image, (1, C, 1, len)."""
    return torch.tensor(rows, dtype=torch.float32).view(1, len(rows), 1, -1)


@pytest.mark.parametrize(
    ('student', 'teacher', 'loss'),
    [
        (two([1, 2, 3]), two([10, 20, 30]), 0.0),  # correlation 1
        (two([3, 2, 1]), two([10, 20, 30]), 2.0),  # -1
        (two([1, 0, 1]), two([10, 20, 30]), 1.0),  # 0
        (two([1, 2, 3], [3, 2, 1]), two([1, 2, 3], [1, 2, 3]), 1.0),  # 1 and -1
        (two([5, 5, 5]), two([5, 5, 5]), 0.0),  # silent channels agree
        (two([5, 5, 5]), two([1, 2, 3]), 0.5),
        (two([5]), two([1]), 0.0),  # an image of one position
    ],
)
def test_loss_by_hand(student, teacher, loss):
    assert stage_loss(student, teacher, 0).item() == pytest.approx(loss, abs=1e-5)


@given(st.integers(0, 10**6), st.floats(0.1, 10), st.floats(-5, 5))
def test_scale_and_shift_cost_nothing(seed, scale, shift):
    features = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    other = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed + 1))
    assert stage_loss(features * scale + shift, features, 0) < 1e-3
    loss = stage_loss(features * scale + shift, other, 0)
    torch.testing.assert_close(loss, stage_loss(features, other, 0), atol=1e-3, rtol=0)
    assert 0 <= loss <= 2


def test_the_loss_falls_and_the_teacher_stays(tmp_path, teacher):
    hook = StageDistillationHook(teacher, weight=2.0)
    watch = {}
    build = hook.before_train

    def before_train(runner):
        build(runner)
        watch['teacher'] = hook._teacher
        watch['before'] = {k: v.clone() for k, v in hook._teacher.state_dict().items()}

    hook.before_train = before_train
    steps, runner = train_tiny(tmp_path / 'run', hook, max_iters=24, lr=0.05)
    totals = [sum(step['outputs'][key] for key in LOSSES) for step in steps]
    assert sum(totals[-4:]) < 0.9 * sum(totals[:4])
    after = watch['teacher'].state_dict()
    assert all(torch.equal(value, after[key]) for key, value in watch['before'].items())
    assert not watch['teacher'].training
    first = steps[0]['outputs']
    assert first['loss'] == pytest.approx(first['loss_cls'] + totals[0], rel=1e-5)
    # It is neither saved nor optimised, and gone after training.
    own = TinyClassifier().state_dict().keys()
    assert runner.model.state_dict().keys() == own
    assert torch.load(tmp_path / 'run/iter_4.pth', weights_only=False)['state_dict'].keys() == own
    optimised = runner.optim_wrapper.optimizer.param_groups[0]['params']
    assert len(optimised) == len(list(runner.model.parameters()))
    assert hook._teacher is None
    assert not runner.model._forward_hooks
    assert not runner.model.backbone._forward_hooks


def test_the_gradient_is_that_of_the_loss(tmp_path, teacher):
    """Value and gradient of the first step by a plain computation with the teacher."""
    torch.manual_seed(3)
    model = TinyClassifier()
    plain = TinyClassifier()
    plain.load_state_dict(model.state_dict())
    hook = StageDistillationHook(teacher, weight=0.5, stages=[1])
    steps, _ = train_tiny(tmp_path / 'run', hook, max_iters=1, model=model)
    images, labels = zip(*(_dataset()[i] for i in range(4)), strict=True)
    images, labels = torch.stack(images), torch.tensor(labels)
    features = plain.backbone(images)
    loss = 0.5 * stage_loss(features[1], build_teacher(teacher)(images)[1], 1)
    outputs = steps[0]['outputs']
    assert [key for key in outputs if 'distill' in key] == LOSSES[1:]
    assert outputs[LOSSES[1]] == pytest.approx(loss.item(), rel=1e-5)
    logits = plain.head(features[-1].mean(dim=(2, 3)))
    (loss + torch.nn.functional.cross_entropy(logits, labels)).backward()
    for name, parameter in plain.named_parameters():
        got = steps[0]['grads'][name]
        torch.testing.assert_close(got, parameter.grad, atol=1e-6, rtol=1e-4)


def _dataset():
    from tests.support.tiny_training import TinyImages

    return TinyImages(8)


def test_evaluation_never_runs_the_teacher(tmp_path, teacher):
    hook = StageDistillationHook(teacher)

    class Runner:
        model, hooks = TinyClassifier(), []

    hook.before_train(Runner)
    calls = []
    hook._teacher.register_forward_hook(lambda *_: calls.append(1))
    images, labels = torch.randn(2, 3, 8, 8), torch.tensor([0, 1])
    Runner.model.eval()
    assert Runner.model(images).shape == (2, 2)
    assert calls == []
    Runner.model.train()
    assert set(Runner.model(images, labels, mode='loss')) == {'loss_cls', *LOSSES}
    assert calls == [1]


class ValidationLoss(Hook):
    """Asks the model in evaluation mode for its losses."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        inputs, labels = data_batch
        runner.model.eval()
        self.found = runner.model(inputs, labels, mode='loss')
        runner.model.train()


def test_in_evaluation_mode_there_is_no_distillation_loss(tmp_path, teacher):
    validation = ValidationLoss()
    model = TinyClassifier(out_indices=(0, 1))
    hook = StageDistillationHook(teacher)
    train_tiny(tmp_path, hook, max_iters=1, model=model, more_hooks=[validation])
    assert list(validation.found) == ['loss_cls']


def test_two_hooks_are_refused(tmp_path, teacher):
    """The losses of one would stand in for those of the other."""
    hooks = [StageDistillationHook(teacher) for _ in range(2)]
    with pytest.raises(ValueError, match='two StageDistillationHooks'):
        train_tiny(tmp_path, hooks[0], model=TinyClassifier(out_indices=(0, 1)), more_hooks=hooks[1:])


def test_supervised_stages():
    assert supervised_stages((0, 1, 2, 3), (1, 3), None) == (1, 3)
    assert supervised_stages((0, 1, 2, 3), (0, 1, 2, 3), (2, 0)) == (2, 0)
    message = r'got \[1\]; the student has \(0, 1\), the teacher \(0, 2\)'
    with pytest.raises(ValueError, match=message):
        supervised_stages((0, 1), (0, 2), [1])
    with pytest.raises(ValueError, match='got None'):
        supervised_stages((0,), (1,), None)


@pytest.mark.parametrize(
    'config', ['r50', {'type': 'mmpretrain.ResNet'}, {'init_cfg': {'type': 'Kaiming'}}]
)
def test_a_teacher_that_has_learnt_nothing_is_refused(config):
    with pytest.raises(ValueError, match=r'teacher must be a backbone.*Pretrained'):
        StageDistillationHook(config)


@pytest.mark.parametrize('stages', [1, {0, 1}, '01'])
def test_stages_that_are_no_sequence_are_named(teacher, stages):
    with pytest.raises(TypeError, match=r'stages must be a sequence of ints, got'):
        StageDistillationHook(teacher, stages=stages)


def test_teachers_that_do_not_fit_are_refused(tmp_path, teacher):
    wide = teacher_config(tmp_path / 'wide.pth', width=6)
    message = r'got \(4, 6, 8, 8\) instead of \(4, 4, 8, 8\) in stage 0'
    with pytest.raises(ValueError, match=message):
        train_tiny(tmp_path / 'run', StageDistillationHook(wide))
    teacher['init_cfg']['prefix'] = 'encoder.'
    with pytest.raises(ValueError, match=r"prefix 'encoder.' does not fit ResNet_CIFAR: \d+ missing"):
        build_teacher(teacher)


def test_a_model_without_a_backbone_is_named(teacher):
    runner = SimpleNamespace(model=nn.Identity(), hooks=[])
    with pytest.raises(ValueError, match='StageDistillationHook: Identity has no backbone'):
        StageDistillationHook(teacher).before_train(runner)


def test_a_teacher_that_wants_to_run_code_is_refused(tmp_path):
    config = teacher_config(tmp_path / 'a.pth', content={'state_dict': RunsCode(tmp_path / 'ran')})
    with pytest.raises(ValueError, match='is refused: it must hold weights only'):
        build_teacher(config)
    assert not (tmp_path / 'ran').exists()


def test_the_teacher_of_a_run_that_was_broken_off_is_let_go(tmp_path, teacher):
    """Else both would run in each step of the next run, whose hook is another."""
    model, hook = TinyClassifier(), StageDistillationHook(teacher)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / 'a', hook, model=model, more_hooks=[Interruption()])
    train_tiny(tmp_path / 'b', StageDistillationHook(teacher), model=model)
    for module in model.modules():
        assert not module._forward_hooks
