"""The controller that steers the halting units to a share of the MACs."""

from __future__ import annotations

import math

import pytest
import torch
from mmengine.optim import OptimWrapperDict

from iterbackbone import HaltingTrace, IterativeResNet
from iterbackbone.core.macs import mac_table
from iterbackbone.mm import PonderCostHook
from iterbackbone.mm.traces import Call
from iterbackbone.mm.training.budget_controller import GAP_SMOOTHING, RATE, SMOOTHING, BudgetController
from iterbackbone.mm.training.ponder_training import learning_rate_share
from iterbackbone.mm.training.rehearsal import EVERY, Rehearsal
from tests.support.networks import varied
from tests.support.openmmlab import TinyClassifier, TinyImages, train_tiny

STEPS = 600


def tiny(max_iterations=(3, 4)):
    return IterativeResNet(
        stem='cifar', base_channels=2, expansion=1, num_stages=2, max_iterations=max_iterations
    )


def call(module, rows):
    iterations = torch.tensor(rows)
    trace = HaltingTrace(iterations, iterations, iterations.float(), (3, 4), (8, 8), None)
    return Call(module, trace, None)


def biases(module):
    return [stage.blocks[0].halting.fc2.bias.item() for stage in module.stages]


def test_the_share_is_that_of_the_rows_macs():
    module = tiny()
    table = mac_table(module, (8, 8))
    controller = BudgetController(0.5)
    controller.observe([call(module, [[3, 1], [1, 4]]), call(module, [[2, 2]])], [])
    executed = table.total([3, 1]) + table.total([1, 4]) + table.total([2, 2])
    share = executed / (3 * table.highest)
    assert controller.share.item() == pytest.approx(share, rel=1e-6)
    controller.observe([call(module, [[3, 4]])], [])  # a moving average
    assert controller.share.item() == pytest.approx(share + (1 - share) / SMOOTHING, rel=1e-6)


def test_the_gap_of_rehearsals_is_added():
    module = tiny()
    table = mac_table(module, (8, 8))
    full, half = table.total([3, 4]) / table.highest, table.total([2, 2]) / table.highest
    controller = BudgetController(0.5)
    controller.observe([call(module, [[3, 4]])], [])
    assert controller.expected().item() == 1
    controller.observe([call(module, [[3, 4]])], [call(module, [[2, 2]])])
    assert controller.expected().item() == pytest.approx(half, rel=1e-6)
    controller.observe([call(module, [[3, 4]])], [call(module, [[3, 4]])])
    gap = (half - full) * (1 - 1 / GAP_SMOOTHING)
    assert controller.expected().item() == pytest.approx(full + gap, rel=1e-6)


def test_every_bias_moves_by_the_error_and_the_integral():
    module = tiny()
    before = biases(module)
    controller = BudgetController(0.6)
    controller.steer([module])  # nothing was measured yet
    assert biases(module) == before
    controller.observe([call(module, [[3, 4]])], [])
    controller.steer([module])
    rate = 1 / (0.15 * 30)
    pull = 0.1 * rate / 60  # an error of 0.4 counts 0.1 in the integral
    moved = 0.4 * rate + pull  # all MACs: up, towards halting
    assert biases(module) == pytest.approx([b + moved for b in before], rel=1e-6)
    controller.share = torch.tensor(0.58)
    controller.steer([module])
    moved += -0.02 * rate + pull - 0.02 * rate / 60
    assert biases(module) == pytest.approx([b + moved for b in before], rel=1e-6)


def steered(target, bias, drift, lr_share=lambda step: 1.0):
    images = torch.randn(32, 3, 8, 8)
    module = varied(tiny((3, 8)), images).train()
    units = [stage.blocks[0].halting for stage in module.stages]
    for unit in units:
        torch.nn.init.constant_(unit.fc2.bias, bias)
    controller = BudgetController(target)
    with torch.no_grad():
        for step in range(STEPS):
            module(images)
            controller.observe([Call(module, module.trace, None)], [])
            controller.steer([module], lr_share(step))
            for unit in units:
                unit.fc2.bias.add_(drift * lr_share(step))
    return controller


@pytest.mark.parametrize(('bias', 'target'), [(-4.0, 0.5), (4.0, 0.7)])
def test_the_loop_closes_at_the_target_from_both_ends(bias, target):
    assert steered(target, bias, 0.0).share.item() == pytest.approx(target, rel=0.01)


def test_a_steady_pull_of_the_loss_is_answered():
    controller = steered(0.7, -4.0, drift=0.02)
    assert controller.share.item() == pytest.approx(0.7, rel=0.01)
    assert controller.pull.item() == pytest.approx(-0.02, rel=0.05)


def test_evaluation_meets_the_target_where_its_statistics_differ():
    torch.manual_seed(0)
    images = torch.randn(32, 3, 8, 8)
    module = varied(tiny((3, 8)), images)
    module.eval()(images)
    for norm in [m for m in module.modules() if isinstance(m, torch.nn.BatchNorm2d)]:
        norm.momentum = 0.0  # the running statistics stay off the batch's
        norm.running_mean.add_(0.3)
    rehearsal, controller = Rehearsal([module]), BudgetController(0.6)
    module.train()
    for step in range(800):
        rehearsal.due = (step + 1) % EVERY == 0
        rehearsal.calls.clear()
        module(images)
        controller.observe([Call(module, module.trace, None)], rehearsal.calls)
        controller.steer([module])
    rehearsal.detach()
    module.eval()(images)
    share = BudgetController(0.6)
    share.observe([Call(module, module.trace, None)], [])
    assert share.share.item() == pytest.approx(0.6, rel=0.03)
    assert abs(controller.gap.item()) > 0.05


def test_one_step_in_so_many_is_rehearsed(tmp_path):
    _, runner = train_tiny(tmp_path, PonderCostHook(target=0.5), max_iters=EVERY - 1)
    state = runner.message_hub.get_info('budget_controller')
    assert state['gap'] is None
    _, runner = train_tiny(tmp_path / 'longer', PonderCostHook(target=0.5), max_iters=EVERY)
    assert runner.message_hub.get_info('budget_controller')['gap'] is not None


def test_a_pull_that_fades_with_the_learning_rate_is_answered_to_the_end():
    controller = steered(0.7, -4.0, -0.02, lambda step: (1 + math.cos(math.pi * step / STEPS)) / 2)
    assert controller.share.item() == pytest.approx(0.7, rel=0.01)


def test_the_learning_rate_share_is_that_of_the_schedulers(tmp_path):
    scheduler = dict(type='MultiStepLR', by_epoch=False, milestones=[2], gamma=0.25)
    _, runner = train_tiny(tmp_path, PonderCostHook(target=0.5), param_scheduler=scheduler)
    assert learning_rate_share(runner.optim_wrapper) == pytest.approx(0.25)
    both = OptimWrapperDict(a=runner.optim_wrapper, b=runner.optim_wrapper)
    assert learning_rate_share(both) == pytest.approx(0.25)
    _, runner = train_tiny(tmp_path / 'constant', PonderCostHook(target=0.5))
    assert learning_rate_share(runner.optim_wrapper) == 1


def test_frozen_units_stay():
    module = tiny()
    module.stages[0].requires_grad_(False)
    before = biases(module)
    controller = BudgetController(0.6)
    controller.observe([call(module, [[3, 4]])], [])
    controller.steer([module])
    assert biases(module)[0] == before[0]
    assert biases(module)[1] > before[1]


def test_a_target_out_of_reach_is_refused():
    module = tiny()
    table = mac_table(module, (8, 8))
    message = f'target must be above {table.lowest / table.highest:.3f}.* got 0.05'
    with pytest.raises(ValueError, match=message):
        BudgetController(0.05).observe([call(module, [[1, 1]])], [])


def test_training_is_steered_after_the_warm_up_only(tmp_path):
    steps, runner = train_tiny(
        tmp_path, PonderCostHook(weight=0.0, target=0.5, halting_warmup=0.5), max_iters=8, lr=0.0
    )
    assert [step['scalars']['train/macs_share'] for step in steps] == [1] * 8
    # The bias of L = 3 starts at -3; four of eight steps ask for 0.5 less, and the integral grows.
    moved = RATE * (4 * 0.5 + 0.1 * (1 + 2 + 3 + 4) / 60)
    assert biases(runner.model.backbone)[0] == pytest.approx(-3 + moved, rel=1e-5)


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
    monkeypatch.setattr('iterbackbone.mm.training.ponder_training.EVERY', 3)
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
