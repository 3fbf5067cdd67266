"""PonderCostHook inside a real small Runner."""

from __future__ import annotations

import pytest
import torch
from core.networks import varied
from mmengine.hooks import Hook
from mmengine.runner import Runner
from support import TinyClassifier, TinyImages
from torch.utils.data import DataLoader

from iterbackbone import HaltingTrace, IterativeResNet
from iterbackbone.mm import PonderCostHook, train_scalars
from iterbackbone.mm.ponder_hook import ponder_cost, ramp_factor
from iterbackbone.mm.trace_collector import Call

HALTING = [f'backbone.stages.{k}.blocks.0.halting' for k in (0, 1)]


class Spy(Hook):
    """Keeps what each step showed."""

    priority = 'LOWEST'

    def __init__(self):
        self.steps = []
        self.grads = {}

    def before_train(self, runner):
        for name, parameter in runner.model.named_parameters():  # the optimizer clears .grad
            parameter.register_hook(lambda grad, name=name: self.grads.update({name: grad.clone()}))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        hub = runner.message_hub
        self.steps.append(
            {
                'outputs': {k: v.item() for k, v in outputs.items()},
                'scalars': {k: v.current() for k, v in hub.log_scalars.items()},
                'grads': dict(self.grads),
                'held': [s.blocks[0].halting.held for s in runner.model.backbone.stages],
            }
        )


def run(tmp_path, hook, max_iters=4, model=None, interval=2, lr=0.1, **options):
    spy = Spy()
    model = model or TinyClassifier()
    runner = Runner(
        model=model,
        work_dir=str(tmp_path),
        train_dataloader=DataLoader(TinyImages(8), batch_size=4),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=lr)),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=interval),
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=4),
        ),
        custom_hooks=[hook, spy] if hook else [spy],
        default_scope='mmengine',
        experiment_name=str(tmp_path.name),
        log_level='WARNING',
        **options,
    )
    runner.train()
    return spy.steps, runner


def test_the_loss_is_the_weighted_cost(tmp_path):
    steps, _ = run(tmp_path, PonderCostHook(weight=0.25))
    first = steps[0]
    # A fresh network runs everything: N = 3 and 4. R = 1 - (L - 1) h at scores of 1/(1 + e^3).
    h = 1 / (1 + torch.tensor(3.0).exp().item())
    cost = (3 + 1 - 2 * h) + (4 + 1 - 3 * h)
    assert first['outputs']['loss_ponder'] == pytest.approx(0.25 * cost, rel=1e-6)
    assert first['outputs']['loss'] == pytest.approx(
        first['outputs']['loss_cls'] + 0.25 * cost, rel=1e-6
    )


def test_gradient_reaches_fc2_at_once_and_fc1_one_step_later(tmp_path):
    steps, _ = run(tmp_path, PonderCostHook(weight=0.25))
    for name in HALTING:
        assert steps[0]['grads'][f'{name}.fc2.weight'].abs().sum() > 0
        assert steps[0]['grads'][f'{name}.fc2.bias'].abs().sum() > 0
        assert steps[0]['grads'][f'{name}.fc1.weight'].abs().sum() == 0
        assert steps[1]['grads'][f'{name}.fc1.weight'].abs().sum() > 0


def test_warmup_holds_and_the_cost_counts_nothing(tmp_path):
    steps, _ = run(tmp_path, PonderCostHook(weight=0.5, halting_warmup=0.5, ramp=0.25), max_iters=8)
    assert [step['held'] for step in steps] == [[True, True]] * 4 + [[False, False]] * 4
    weights = [step['scalars']['train/ponder_weight'] for step in steps]
    assert weights == [0, 0, 0, 0, 0, 0.25, 0.5, 0.5]
    for step in steps[:4]:
        assert step['outputs']['loss_ponder'] == 0
        for name in HALTING:
            assert step['grads'][f'{name}.fc2.bias'].abs().sum() == 0
    assert steps[5]['grads'][f'{HALTING[0]}.fc2.bias'].abs().sum() > 0


def test_a_resumed_run_takes_the_schedule_up_where_it_was(tmp_path):
    hook = dict(weight=0.5, halting_warmup=0.25, ramp=0.5)
    whole, _ = run(tmp_path / 'whole', PonderCostHook(**hook), max_iters=8)
    checkpoint = str(tmp_path / 'whole' / 'iter_4.pth')
    options = dict(max_iters=8, resume=True, load_from=checkpoint)
    resumed, _ = run(tmp_path / 'resumed', PonderCostHook(**hook), **options)
    weights = [step['scalars']['train/ponder_weight'] for step in whole]
    assert weights == [0, 0, 0, 0.125, 0.25, 0.375, 0.5, 0.5]
    assert [step['scalars']['train/ponder_weight'] for step in resumed] == weights[4:]


def test_scalars(tmp_path):
    model = TinyClassifier()
    torch.nn.init.constant_(model.backbone.stages[0].blocks[0].halting.fc2.bias, 20.0)
    steps, _ = run(tmp_path, PonderCostHook(weight=0.0), max_iters=1, model=model, interval=1)
    scalars = steps[0]['scalars']
    assert scalars['train/iterations_stage0'] == 1
    assert scalars['train/one_iteration_stage0'] == 1
    assert scalars['train/iterations_stage1'] == 4
    assert scalars['train/one_iteration_stage1'] == 0
    assert scalars['train/iterations_std_stage1'] == 0
    assert scalars['train/ponder_cost'] == pytest.approx(2 + 4 + 1 - 3 / (1 + torch.e**3), abs=1e-5)
    ours = [k for k in scalars if 'iteration' in k or 'ponder' in k]
    assert [k for k in ours if 'loss' in k] == ['train/loss_ponder']


def test_scalars_are_means_over_the_logging_interval(tmp_path):
    model = TinyClassifier(norm_eval=True)
    seen = []
    model.backbone.register_forward_hook(lambda net, *_: seen.append(net.trace.iterations.clone()))
    varied(model.backbone.train(), TinyImages(8).images)
    seen.clear()
    steps, _ = run(tmp_path, PonderCostHook(), max_iters=4, model=model, lr=0.0)
    name = 'train/iterations_stage1'
    assert name not in steps[0]['scalars']
    assert steps[2]['scalars'][name] == steps[1]['scalars'][name]
    for first, step in ((0, 1), (2, 3)):
        rows = torch.cat(seen[first : first + 2])[:, 1].float()
        assert rows.unique().numel() > 1
        assert steps[step]['scalars'][name] == pytest.approx(rows.mean().item())
        spread = steps[step]['scalars']['train/iterations_std_stage1']
        assert spread == pytest.approx(rows.std(correction=0).item())
        share = steps[step]['scalars']['train/one_iteration_stage1']
        assert share == pytest.approx((rows == 1).float().mean().item())


def test_the_trace_is_gone_once_the_loss_is_made(tmp_path):
    _, runner = run(tmp_path, PonderCostHook())
    with pytest.raises(RuntimeError, match='has no trace'):
        runner.model.backbone.iterations()
    for module in runner.model.modules():  # nothing stays behind after training
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_training_without_the_hook_says_so_once(tmp_path):
    with pytest.warns(UserWarning, match='trained without its ponder cost') as record:
        run(tmp_path, None, max_iters=4)
    assert len([w for w in record if 'ponder cost' in str(w.message)]) == 1


def test_training_with_the_hook_says_nothing(tmp_path, recwarn):
    run(tmp_path, PonderCostHook(), max_iters=3)
    assert not [w for w in recwarn if 'ponder cost' in str(w.message)]


def call(module, costs):
    cost = torch.tensor(costs).reshape(-1, 2).requires_grad_()
    shape = torch.ones(len(cost), 2, dtype=torch.int64)
    return Call(module, HaltingTrace(shape, shape, cost, (3, 3), (8, 8), None), None), cost


def tiny():
    return IterativeResNet(base_channels=2, expansion=1, num_stages=2, max_iterations=(3, 3))


def test_cost_is_the_sum_over_modules_of_the_mean_over_rows_of_the_sum_over_blocks():
    first, second = tiny(), tiny()
    calls = [
        call(first, [[1.0, 2.0], [3.0, 4.0]])[0],  # two calls of one module are one batch
        call(first, [[5.0, 6.0]])[0],
        call(second, [[7.0, 8.0]])[0],
    ]
    assert ponder_cost(calls).item() == pytest.approx((3 + 7 + 11) / 3 + 15)


def test_modules_without_trainable_parameters_are_left_out():
    frozen, trained = tiny().requires_grad_(False), tiny()
    assert ponder_cost([call(frozen, [[9.0, 9.0]])[0], call(trained, [[1.0, 2.0]])[0]]).item() == 3
    assert ponder_cost([call(frozen, [[9.0, 9.0]])[0]]).item() == 0


def test_no_rows_give_a_zero_that_is_connected():
    entry, leaf = call(tiny(), [])
    cost = ponder_cost([entry])
    cost.backward()
    assert cost.item() == 0
    assert leaf.grad.shape == (0, 2)


@pytest.mark.parametrize(
    ('progress', 'warmup', 'ramp', 'factor'),
    [(0, 0, 0, 1), (0.09, 0.1, 0, 0), (0.1, 0.1, 0, 1), (0.2, 0.1, 0.2, 0.5), (0.9, 0.1, 0.2, 1)],
)
def test_ramp(progress, warmup, ramp, factor):
    assert ramp_factor(progress, warmup, ramp) == pytest.approx(factor)


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        ({'weight': 'much'}, TypeError, "weight must be a number, got 'much'"),
        ({'weight': float('nan')}, ValueError, 'weight must be finite, got nan'),
        ({'halting_warmup': 1.5}, ValueError, 'halting_warmup must be between 0 and 1, got 1.5'),
        ({'ramp': -0.1}, ValueError, 'ramp must be between 0 and 1, got -0.1'),
        (
            {'halting_warmup': 0.6, 'ramp': 0.5},
            ValueError,
            r'halting_warmup \+ ramp must be at most 1, got 0.6 \+ 0.5',
        ),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        PonderCostHook(**options)


def test_warning_when_a_stage_stops_differing(monkeypatch):
    class Hub:
        def update_scalar(self, *_):
            pass

    class Runner:
        message_hub = Hub()

    model = tiny()
    scalars = train_scalars.TrainScalars(model, interval=2)
    messages = []

    def observe(rows):
        rows = torch.tensor(rows)
        trace = HaltingTrace(rows, rows, rows.float(), (3, 3), (8, 8), None)
        scalars.observe([Call(model, trace, None)])
        scalars.publish(Runner())

    monkeypatch.setattr(train_scalars, '_warn', messages.append)
    for _ in range(3):  # never differed: nothing is "no longer"
        observe([[3, 1], [3, 1]])
    assert messages == []
    observe([[3, 1], [3, 2]])
    observe([[3, 2], [3, 2]])
    observe([[3, 2], [3, 2]])
    assert messages == ['stage1 no longer differs between images: all take 2 iterations a block']
    scalars.warn_at_end()
    assert messages[1].endswith('the same iterations in: stage0 (3), stage1 (2)')
