"""PonderCostHook inside a real small Runner."""

from __future__ import annotations

import pytest
import torch
from mmengine._strategy import FSDPStrategy
from mmengine.hooks import Hook

from iterbackbone import HaltingTrace, IterativeResNet
from iterbackbone.core.budget_table import BudgetTable, Setting
from iterbackbone.core.halting import never_halt
from iterbackbone.mm import AnytimeHook, PonderCostHook
from iterbackbone.mm.traces import Call
from iterbackbone.mm.training.ponder_hook import PonderSchedule, ponder_cost
from tests.support.tiny_training import TinyClassifier, train_tiny

HALTING = [f'backbone.stages.{k}.blocks.0.halting' for k in (0, 1)]


@pytest.mark.parametrize('autocast', [False, True])
def test_the_loss_is_the_weighted_cost(tmp_path, autocast):
    """In bfloat16 the cost, about 9, would come in steps of 1/16."""
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
        steps, _ = train_tiny(tmp_path, PonderCostHook(weight=0.25))
    first = steps[0]
    # A fresh network runs everything: N = 3 and 4. R = 1 - (L - 1) h at scores of 1/(1 + e^3).
    h = 1 / (1 + torch.tensor(3.0).exp().item())
    cost = (3 + 1 - 2 * h) + (4 + 1 - 3 * h)
    assert first['outputs']['loss_ponder'] == pytest.approx(0.25 * cost, rel=1e-6)
    assert first['outputs']['loss'] == pytest.approx(
        first['outputs']['loss_cls'] + 0.25 * cost, rel=1e-6
    )


def test_a_forward_hook_sees_the_iterations_of_a_step(tmp_path):
    """After the step the trace is gone."""
    model, seen = TinyClassifier(), []
    model.backbone.register_forward_hook(lambda module, *_: seen.append(module.iterations().sum(1)))
    train_tiny(tmp_path, PonderCostHook(), model=model)
    assert [len(each) for each in seen[:4]] == [4] * 4
    assert all(each.min() >= 2 for each in seen)  # two stages


def test_gradient_reaches_fc2_at_once_and_fc1_one_step_later(tmp_path):
    steps, _ = train_tiny(tmp_path, PonderCostHook(weight=0.25))
    for name in HALTING:
        assert steps[0]['grads'][f'{name}.fc2.weight'].abs().sum() > 0
        assert steps[0]['grads'][f'{name}.fc2.bias'].abs().sum() > 0
        assert steps[0]['grads'][f'{name}.fc1.weight'].abs().sum() == 0
        assert steps[1]['grads'][f'{name}.fc1.weight'].abs().sum() > 0


def test_silenced_units_can_be_trained(tmp_path):
    """As anytime training leaves them: scores of 2e-9 have no gradient."""
    silenced = TinyClassifier()
    for unit in silenced.backbone.halting_units():
        never_halt(unit)
    steps, _ = train_tiny(tmp_path, PonderCostHook(weight=0.25), model=silenced)
    fresh, _ = train_tiny(tmp_path / 'fresh', PonderCostHook(weight=0.25))
    loss, wanted = (each[0]['outputs']['loss_ponder'] for each in (steps, fresh))
    assert loss == pytest.approx(wanted)
    assert steps[0]['grads'][f'{HALTING[0]}.fc2.bias'].abs().sum() > 1e-3


def test_warmup_holds_and_the_cost_counts_nothing(tmp_path):
    steps, _ = train_tiny(
        tmp_path, PonderCostHook(weight=0.5, halting_warmup=0.5, ramp=0.25), max_iters=8
    )
    assert [step['held'] for step in steps] == [[True, True]] * 4 + [[False, False]] * 4
    weights = [step['scalars']['train/ponder_weight'] for step in steps]
    assert weights == [0, 0, 0, 0, 0, 0.25, 0.5, 0.5]
    for step in steps[:4]:
        assert step['outputs']['loss_ponder'] == 0
        for name in HALTING:
            assert step['grads'][f'{name}.fc2.bias'].abs().sum() == 0
    assert steps[5]['grads'][f'{HALTING[0]}.fc2.bias'].abs().sum() > 0


def test_units_are_released_where_training_ends(tmp_path):
    """Else weights that are loaded into this model afterwards would not halt."""
    steps, runner = train_tiny(tmp_path, PonderCostHook(halting_warmup=1.0))
    assert steps[-1]['held'] == [True, True]
    assert not any(unit.held for unit in runner.model.backbone.halting_units())


def test_a_resumed_run_takes_the_schedule_up_where_it_was(tmp_path):
    hook = dict(weight=0.5, halting_warmup=0.25, ramp=0.5)
    whole, _ = train_tiny(tmp_path / 'whole', PonderCostHook(**hook), max_iters=8)
    checkpoint = str(tmp_path / 'whole' / 'iter_4.pth')
    options = dict(max_iters=8, resume=True, load_from=checkpoint)
    resumed, _ = train_tiny(tmp_path / 'resumed', PonderCostHook(**hook), **options)
    weights = [step['scalars']['train/ponder_weight'] for step in whole]
    assert weights == [0, 0, 0, 0.125, 0.25, 0.375, 0.5, 0.5]
    assert [step['scalars']['train/ponder_weight'] for step in resumed] == weights[4:]


def test_a_run_that_goes_on_for_longer_keeps_the_schedule_it_began_with(tmp_path):
    """As shares of 16 or 24 steps the warm-up and the ramp would begin again."""
    hook = dict(weight=0.5, halting_warmup=0.25, ramp=0.5)
    train_tiny(tmp_path / 'eight', PonderCostHook(**hook), max_iters=8)
    for name, before, steps in (('sixteen', 'eight/iter_4', 16), ('more', 'sixteen/iter_8', 24)):
        options = dict(max_iters=steps, resume=True, load_from=str(tmp_path / f'{before}.pth'))
        resumed, _ = train_tiny(tmp_path / name, PonderCostHook(**hook), **options)
        assert not any(any(step['held']) for step in resumed)
        weights = [step['scalars']['train/ponder_weight'] for step in resumed]
        assert weights == {'sixteen': [0.25, 0.375] + [0.5] * 10, 'more': [0.5] * 16}[name]


def test_a_run_that_only_takes_the_weights_begins_its_own_schedule(tmp_path):
    hook = dict(weight=0.5, halting_warmup=0.5)
    train_tiny(tmp_path / 'first', PonderCostHook(**hook), max_iters=4)
    options = dict(max_iters=8, load_from=str(tmp_path / 'first' / 'iter_4.pth'))
    steps, _ = train_tiny(tmp_path / 'second', PonderCostHook(**hook), **options)
    assert [step['scalars']['train/ponder_weight'] for step in steps] == [0] * 4 + [0.5] * 4


def test_the_trace_is_gone_once_the_loss_is_made(tmp_path):
    _, runner = train_tiny(tmp_path, PonderCostHook())
    with pytest.raises(RuntimeError, match='has no trace'):
        runner.model.backbone.iterations()
    for module in runner.model.modules():  # nothing stays behind after training
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_two_hooks_are_refused(tmp_path):
    with pytest.raises(ValueError, match='two PonderCostHooks'):
        train_tiny(tmp_path, PonderCostHook(), more_hooks=[PonderCostHook()])


def test_training_without_the_hook_says_so_once(tmp_path):
    with pytest.warns(UserWarning, match='trained without its ponder cost') as record:
        train_tiny(tmp_path, None, max_iters=4)
    assert len([w for w in record if 'ponder cost' in str(w.message)]) == 1


def test_training_with_the_hook_says_nothing(tmp_path, recwarn):
    train_tiny(tmp_path, PonderCostHook(), max_iters=3)
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
    ('step', 'warmup', 'ramp', 'factor'),
    [(0, 0, 0, 1), (9, 0.1, 0, 0), (10, 0.1, 0, 1), (20, 0.1, 0.2, 0.5), (90, 0.1, 0.2, 1)],
)
def test_ramp(step, warmup, ramp, factor):
    assert PonderSchedule(100, warmup, ramp).weight_share(step) == pytest.approx(factor)


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


@pytest.mark.parametrize('hook', [PonderCostHook, AnytimeHook])
def test_checkpointing_by_the_runner_is_refused(tmp_path, hook):
    """Its second pass leaves the cost without a gradient, or runs other depths."""
    with pytest.raises(ValueError, match=f'{hook.__name__} needs activation_checkpointing=None'):
        train_tiny(tmp_path, hook(), cfg=dict(activation_checkpointing=['backbone.stages.1']))


@pytest.mark.parametrize('hook', [PonderCostHook, AnytimeHook])
def test_checkpointing_by_a_strategy_is_refused(tmp_path, hook):
    """FSDP's wrappers around the blocks would take their depths, and all rows run everything."""

    class Strategy(Hook):
        def before_run(self, runner):  # as FlexibleRunner, which shards in a process group only
            runner.strategy = FSDPStrategy(activation_checkpointing=dict(check_fn='is_block'))

    with pytest.raises(ValueError, match=f'{hook.__name__} needs activation_checkpointing=None'):
        train_tiny(tmp_path, hook(), more_hooks=[Strategy()])


def test_averaged_weights_end_a_fit_with_the_model(tmp_path):
    """Else their keys differ, and saving a checkpoint, which exchanges both, fails."""
    model = TinyClassifier()
    model.backbone.set_budget_table(BudgetTable.of([(0.5, Setting((0.0, 0.0), (3, 4)))]))
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'fitted.pth')
    ema = dict(type='EMAHook', momentum=0.1)
    with pytest.warns(UserWarning, match='training ends the fit of the halting'):
        _, runner = train_tiny(
            tmp_path / 'work',
            PonderCostHook(),
            load_from=str(tmp_path / 'fitted.pth'),
            more_hooks=[ema],
        )
    (copy,) = (hook.ema_model for hook in runner.hooks if hasattr(hook, 'ema_model'))
    for each in (runner.model, copy):
        assert not [key for key in each.state_dict() if 'budget_table' in key]
