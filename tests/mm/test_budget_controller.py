"""The controller that steers the ponder weight to a share of the MACs."""

from __future__ import annotations

import pytest
import torch
from support import TinyClassifier, train_tiny

from iterbackbone import HaltingTrace, IterativeResNet
from iterbackbone.core.macs import mac_table
from iterbackbone.mm import PonderCostHook
from iterbackbone.mm.budget_controller import GAIN, SETTLING, SMOOTHING, BudgetController
from iterbackbone.mm.ponder_hook import ponder_cost
from iterbackbone.mm.trace_collector import Call


def tiny():
    return IterativeResNet(
        stem='cifar', base_channels=2, expansion=1, num_stages=2, max_iterations=(3, 4)
    )


def call(module, rows):
    iterations = torch.tensor(rows)
    trace = HaltingTrace(iterations, iterations, iterations.float(), (3, 4), (8, 8), None)
    return Call(module, trace, None)


def test_the_share_is_that_of_the_rows_macs():
    module = tiny()
    table = mac_table(module, (8, 8))
    controller = BudgetController(0.5, 0.0, max_iters=100)
    controller.observe([call(module, [[3, 1], [1, 4]]), call(module, [[2, 2]])], held=False)
    executed = table.total([3, 1]) + table.total([1, 4]) + table.total([2, 2])
    assert controller.share.item() == pytest.approx(executed / (3 * table.highest), rel=1e-6)


def test_the_weight_is_the_integral_and_a_part_proportional_to_the_error():
    module, full = tiny(), [[3, 4]]
    controller = BudgetController(0.6, 0.005, max_iters=1000)
    assert controller.weight == 0.005
    controller.observe([call(module, full)], held=False)
    integral = 0.005 + GAIN * 0.4 / (SETTLING * 1000)
    assert controller.weight.item() == pytest.approx(integral + GAIN * 0.4, rel=1e-5)
    low = [[1, 1]]
    share = mac_table(module, (8, 8)).total([1, 1]) / mac_table(module, (8, 8)).highest
    controller.observe([call(module, low)], held=False)
    smoothed = 1 + (share - 1) / SMOOTHING
    integral += GAIN * (smoothed - 0.6) / (SETTLING * 1000)
    assert controller.share.item() == pytest.approx(smoothed, rel=1e-5)
    assert controller.weight.item() == pytest.approx(integral + GAIN * (smoothed - 0.6), rel=1e-5)


def test_too_few_macs_are_answered_by_a_negative_weight_that_is_bounded():
    module = tiny()
    controller = BudgetController(0.9, 0.0, max_iters=10)
    for _ in range(50):
        controller.observe([call(module, [[1, 1]])], held=False)
    assert -2 * GAIN < controller.weight.item() < -GAIN


def test_the_integral_rests_while_scores_are_held():
    controller = BudgetController(0.5, 0.0, max_iters=10)
    for _ in range(5):
        controller.observe([call(tiny(), [[3, 4]])], held=True)
    assert controller.weight.item() == pytest.approx(GAIN * 0.5, rel=1e-5)


def test_a_target_out_of_reach_is_refused():
    module = tiny()
    table = mac_table(module, (8, 8))
    message = f'target must be above {table.lowest / table.highest:.3f}.* got 0.05'
    with pytest.raises(ValueError, match=message):
        BudgetController(0.05, 0.0, max_iters=10).observe([call(module, [[1, 1]])], held=False)


@pytest.mark.parametrize('target', [0.5, 0.7])
def test_the_loop_closes_at_the_target(target):
    """Without a task only the steered cost moves the halting units."""
    module, images, steps = tiny().train(), torch.randn(16, 3, 8, 8), 300
    halting = [p for name, p in module.named_parameters() if 'halting' in name]
    optimizer = torch.optim.SGD(halting, lr=1.0)
    controller = BudgetController(target, 0.005, max_iters=steps)
    shares = []
    for _ in range(steps):
        module(images)
        calls = [Call(module, module.trace, None)]
        loss = controller.weight * ponder_cost(calls)
        controller.observe(calls, held=False)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        shares.append(controller.share.item())
    assert shares[0] == 1
    assert shares[-1] == pytest.approx(target, rel=0.05)


def test_a_resumed_run_goes_on_with_the_state_it_had(tmp_path):
    hook = dict(target=0.5, halting_warmup=0.25)
    whole, _ = train_tiny(tmp_path / 'whole', PonderCostHook(**hook), max_iters=8)
    options = dict(max_iters=8, resume=True, load_from=str(tmp_path / 'whole' / 'iter_4.pth'))
    resumed, _ = train_tiny(tmp_path / 'resumed', PonderCostHook(**hook), **options)

    def weight(step):
        return step['scalars']['train/ponder_weight']

    assert weight(whole[3]) != weight(whole[4]) != 0.005
    assert weight(resumed[0]) == pytest.approx(weight(whole[4]), rel=1e-6)


@pytest.mark.parametrize('target', [0.0, 1.0, -0.5, float('nan'), '0.5'])
def test_bad_targets(target):
    with pytest.raises((TypeError, ValueError), match='target must be'):
        PonderCostHook(target=target)


def test_without_a_target_nothing_is_steered(tmp_path):
    steps, _ = train_tiny(tmp_path, PonderCostHook(weight=0.25), model=TinyClassifier(), max_iters=2)
    assert 'train/macs_share' not in steps[-1]['scalars']
    assert [step['scalars']['train/ponder_weight'] for step in steps] == [0.25, 0.25]
