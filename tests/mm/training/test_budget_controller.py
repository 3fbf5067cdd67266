"""The controller that steers the halting units to a share of the MACs."""

from __future__ import annotations

import math

import pytest
import torch

from iterbackbone import HaltingTrace, IterativeResNet
from iterbackbone.core.macs import mac_table
from iterbackbone.core.trace import trace_in_evaluation
from iterbackbone.mm.traces import Call
from iterbackbone.mm.training.budget_controller import GAP_SMOOTHING, SMOOTHING, BudgetController
from iterbackbone.mm.training.ponder_hook import EVERY
from tests.support.networks import varied

STEPS = 600


def tiny(max_iterations=(3, 4)):
    return IterativeResNet(
        stem='cifar',
        base_channels=2,
        expansion=1,
        num_stages=2,
        max_iterations=max_iterations,
        last_relu=True,  # shares of 32 rows move in small steps with it
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


def steered(target, bias, drift, lr_share=lambda step: 1.0, steps=STEPS):
    images = torch.randn(32, 3, 8, 8)
    module = varied(tiny((3, 8)), images).train()
    units = [stage.blocks[0].halting for stage in module.stages]
    for unit in units:
        torch.nn.init.constant_(unit.fc2.bias, bias)
    controller = BudgetController(target)
    with torch.no_grad():
        for step in range(steps):
            module(images)
            controller.observe([Call(module, module.trace, None)], [])
            controller.steer([module], lr_share(step))
            for unit in units:
                unit.fc2.bias.add_(drift * lr_share(step))
    return controller


@pytest.mark.parametrize(('bias', 'target', 'steps'), [(-4.0, 0.5, 200), (4.0, 0.7, STEPS)])
def test_the_loop_closes_at_the_target_from_both_ends(bias, target, steps):
    assert steered(target, bias, 0.0, steps=steps).share.item() == pytest.approx(target, rel=0.01)


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
    controller = BudgetController(0.6)
    module.train()
    for step in range(400):
        module(images)
        calls, again = [Call(module, module.trace, None)], []
        if (step + 1) % EVERY == 0:
            again = [Call(module, trace_in_evaluation(module, images), None)]
        controller.observe(calls, again)
        controller.steer([module])
    module.eval()(images)
    share = BudgetController(0.6)
    share.observe([Call(module, module.trace, None)], [])
    assert share.share.item() == pytest.approx(0.6, rel=0.03)
    assert abs(controller.gap.item()) > 0.05


def test_a_pull_that_fades_with_the_learning_rate_is_answered_to_the_end():
    controller = steered(0.7, -4.0, -0.02, lambda step: (1 + math.cos(math.pi * step / STEPS)) / 2)
    assert controller.share.item() == pytest.approx(0.7, rel=0.01)


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
