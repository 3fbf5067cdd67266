"""The controller that steers the halting units to a share of the MACs."""

from __future__ import annotations

import pytest
import torch
from core.networks import varied
from support import TinyClassifier, train_tiny

from iterbackbone import HaltingTrace, IterativeResNet
from iterbackbone.core.macs import mac_table
from iterbackbone.mm import PonderCostHook
from iterbackbone.mm.budget_controller import SMOOTHING, BudgetController
from iterbackbone.mm.trace_collector import Call


def tiny():
    return IterativeResNet(
        stem='cifar', base_channels=2, expansion=1, num_stages=2, max_iterations=(3, 4)
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
    controller = BudgetController(0.5, max_iters=100)
    controller.observe([call(module, [[3, 1], [1, 4]]), call(module, [[2, 2]])])
    executed = table.total([3, 1]) + table.total([1, 4]) + table.total([2, 2])
    share = executed / (3 * table.highest)
    assert controller.share.item() == pytest.approx(share, rel=1e-6)
    controller.observe([call(module, [[3, 4]])])  # a moving average
    assert controller.share.item() == pytest.approx(share + (1 - share) / SMOOTHING, rel=1e-6)


def test_every_bias_moves_by_the_error():
    module = tiny()
    before = biases(module)
    controller = BudgetController(0.6, max_iters=10_000)
    controller.steer([module])  # nothing was measured yet
    assert biases(module) == before
    controller.observe([call(module, [[3, 4]])])
    controller.steer([module])
    step = 0.4 / (0.15 * 0.03 * 10_000)  # all MACs: up, towards halting
    assert biases(module) == pytest.approx([b + step for b in before], rel=1e-5)
    controller.share = torch.tensor(0.5)
    controller.steer([module])
    assert biases(module) == pytest.approx([b + 0.75 * step for b in before], rel=1e-5)


def test_short_trainings_are_steered_no_faster_than_the_share_is_measured():
    assert BudgetController(0.5, max_iters=10).rate == BudgetController(0.5, max_iters=1000).rate
    assert BudgetController(0.5, max_iters=4000).rate == pytest.approx(1 / (0.15 * 120))


def test_frozen_units_stay():
    module = tiny()
    module.stages[0].requires_grad_(False)
    before = biases(module)
    controller = BudgetController(0.6, max_iters=100)
    controller.observe([call(module, [[3, 4]])])
    controller.steer([module])
    assert biases(module)[0] == before[0]
    assert biases(module)[1] > before[1]


def test_a_target_out_of_reach_is_refused():
    module = tiny()
    table = mac_table(module, (8, 8))
    message = f'target must be above {table.lowest / table.highest:.3f}.* got 0.05'
    with pytest.raises(ValueError, match=message):
        BudgetController(0.05, max_iters=10).observe([call(module, [[1, 1]])])


@pytest.mark.parametrize('target', [0.5, 0.7])
def test_the_loop_closes_at_the_target_from_both_ends(target):
    images = torch.randn(64, 3, 8, 8)
    module = varied(tiny(), images).train()
    for bias in (-5.0, 5.0):
        for stage in module.stages:
            torch.nn.init.constant_(stage.blocks[0].halting.fc2.bias, bias)
        controller = BudgetController(target, max_iters=1000)
        with torch.no_grad():
            for _ in range(600):
                module(images)
                controller.observe([Call(module, module.trace, None)])
                controller.steer([module])
        assert controller.share.item() == pytest.approx(target, rel=0.05)


def test_training_is_steered_after_the_warm_up_only(tmp_path):
    steps, runner = train_tiny(
        tmp_path, PonderCostHook(weight=0.0, target=0.5, halting_warmup=0.5), max_iters=8, lr=0.0
    )
    assert [step['scalars']['train/macs_share'] for step in steps] == [1] * 8
    rate = BudgetController(0.5, max_iters=8).rate
    # The bias of L = 3 starts at -3; four of eight steps ask for 0.5 less.
    assert biases(runner.model.backbone)[0] == pytest.approx(-3 + 4 * 0.5 * rate, rel=1e-5)


def test_a_resumed_run_goes_on_with_the_share_it_had(tmp_path):
    hook = dict(target=0.5)
    whole, _ = train_tiny(tmp_path / 'whole', PonderCostHook(**hook), max_iters=8)
    saved = torch.load(tmp_path / 'whole' / 'iter_4.pth', weights_only=False)
    share = saved['message_hub']['runtime_info']['macs_share']
    assert share == pytest.approx(whole[3]['scalars']['train/macs_share'])
    edited = tmp_path / 'edited.pth'
    saved['message_hub']['runtime_info']['macs_share'] = torch.tensor(0.25)
    torch.save(saved, edited)
    options = dict(max_iters=8, resume=True, load_from=str(edited))
    resumed, _ = train_tiny(tmp_path / 'resumed', PonderCostHook(**hook), **options)
    first = resumed[0]['scalars']['train/macs_share']
    assert 0.25 < first <= 0.25 + 0.75 / SMOOTHING + 1e-6


@pytest.mark.parametrize('target', [0.0, 1.0, -0.5, float('nan'), '0.5'])
def test_bad_targets(target):
    with pytest.raises((TypeError, ValueError), match='target must be'):
        PonderCostHook(target=target)


def test_without_a_target_nothing_is_steered(tmp_path):
    steps, _ = train_tiny(tmp_path, PonderCostHook(weight=0.25), model=TinyClassifier(), max_iters=2)
    assert 'train/macs_share' not in steps[-1]['scalars']
    assert [step['scalars']['train/ponder_weight'] for step in steps] == [0.25, 0.25]
