"""Trainings that PonderCostHook steers to a target: warm-up, schedules, resume."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapperDict

from iterbackbone.mm import PonderCostHook
from iterbackbone.mm.training.budget_controller import RATE, SMOOTHING, learning_rate_share
from iterbackbone.mm.training.ponder_hook import EVERY
from tests.support.networks import varied
from tests.support.tiny_training import TinyClassifier, TinyImages, train_tiny


def test_one_step_in_so_many_is_rehearsed(tmp_path):
    _, runner = train_tiny(tmp_path, PonderCostHook(target=0.5), max_iters=EVERY - 1)
    state = runner.message_hub.get_info('budget_controller')
    assert state['gap'] is None
    _, runner = train_tiny(tmp_path / 'longer', PonderCostHook(target=0.5), max_iters=EVERY)
    assert runner.message_hub.get_info('budget_controller')['gap'] is not None


def test_the_learning_rate_share_is_that_of_the_schedulers(tmp_path):
    scheduler = dict(type='MultiStepLR', by_epoch=False, milestones=[2], gamma=0.25)
    _, runner = train_tiny(tmp_path, PonderCostHook(target=0.5), param_scheduler=scheduler)
    assert learning_rate_share(runner.optim_wrapper) == pytest.approx(0.25)
    both = OptimWrapperDict(a=runner.optim_wrapper, b=runner.optim_wrapper)
    assert learning_rate_share(both) == pytest.approx(0.25)
    _, runner = train_tiny(tmp_path / 'constant', PonderCostHook(target=0.5))
    assert learning_rate_share(runner.optim_wrapper) == 1


def test_training_is_steered_after_the_warm_up_only(tmp_path):
    steps, runner = train_tiny(
        tmp_path, PonderCostHook(weight=0.0, target=0.5, halting_warmup=0.5), max_iters=8, lr=0.0
    )
    assert [step['scalars']['train/macs_share'] for step in steps] == [1] * 8
    # The bias of L = 3 starts at -3; four of eight steps ask for 0.5 less, and the integral grows.
    moved = RATE * (4 * 0.5 + 0.1 * (1 + 2 + 3 + 4) / 60)
    first, _ = runner.model.backbone.halting_units()
    assert first.fc2.bias.item() == pytest.approx(-3 + moved, rel=1e-5)


def test_a_resumed_run_goes_on_with_the_share_it_had(tmp_path):
    hook = dict(target=0.5)
    whole, _ = train_tiny(tmp_path / 'whole', PonderCostHook(**hook))
    saved = torch.load(tmp_path / 'whole' / 'iter_4.pth', weights_only=False)
    state = saved['message_hub']['runtime_info']['budget_controller']
    assert state['pull'] > 0
    assert state['share'] == pytest.approx(whole[3]['scalars']['train/macs_share'])
    edited = tmp_path / 'edited.pth'
    state['share'] = torch.tensor(0.25)
    torch.save(saved, edited)
    options = dict(max_iters=8, resume=True, load_from=str(edited))
    resumed, _ = train_tiny(tmp_path / 'resumed', PonderCostHook(**hook), **options)
    first = resumed[0]['scalars']['train/macs_share']
    assert 0.25 < first <= 0.25 + 0.75 / SMOOTHING + 1e-6


def test_a_resumed_run_is_bit_by_bit_the_uninterrupted_one(tmp_path, monkeypatch):
    """Rehearsals at training steps 3, 6, ...: one counted anew from the resumed step would differ."""
    monkeypatch.setattr('iterbackbone.mm.training.ponder_hook.EVERY', 3)
    model = TinyClassifier()
    varied(model.backbone.train(), TinyImages(8).images)
    options = dict(max_iters=12, lr=0.01)
    whole, one = train_tiny(tmp_path / 'whole', PonderCostHook(target=0.8), model=model, **options)
    options.update(resume=True, load_from=str(tmp_path / 'whole' / 'iter_4.pth'))
    resumed, other = train_tiny(tmp_path / 'resumed', PonderCostHook(target=0.8), **options)
    assert one.message_hub.get_info('budget_controller')['gap'] != 0
    shares = [[step['scalars']['train/macs_share'] for step in steps] for steps in (whole[4:], resumed)]
    assert shares[0] == shares[1]
    state = other.model.state_dict()
    assert all(torch.equal(x, state[key]) for key, x in one.model.state_dict().items())


@pytest.mark.parametrize('target', [0.0, 1.0, -0.5, float('nan'), '0.5'])
def test_bad_targets(target):
    with pytest.raises((TypeError, ValueError), match='target must be'):
        PonderCostHook(target=target)


def test_without_a_target_nothing_is_steered(tmp_path):
    steps, _ = train_tiny(tmp_path, PonderCostHook(weight=0.25), max_iters=2)
    assert 'train/macs_share' not in steps[-1]['scalars']
    assert [step['scalars']['train/ponder_weight'] for step in steps] == [0.25, 0.25]
