"""Budgets by share: the calibration in the state dict, and what it does to halting."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch

from iterbackbone.core.budget_table import BudgetTable, Setting
from iterbackbone.export import ExportForm
from tests.support.networks import blocks, images, relative_error, tiny_net, varied

CALIBRATED = 'within 0.03 of a calibrated share'
CAPS = (2, 3, 5, 2)
POINTS = [
    (0.4, Setting((1.0, 2.0, 3.0, 4.0), (1, 3, 5, 2))),
    (0.6, Setting((0.0, 1.0, 2.0, 3.0), (1, 3, 5, 2))),
    (0.6, Setting((2.0, 2.0, 2.0, 2.0), CAPS)),
    (0.9, Setting((-1.0, -1.0, -1.0, -1.0), CAPS)),
]


def fitted(**options):
    x = images(6)
    net = varied(tiny_net(**options), x).eval()
    net.set_budget_table(BudgetTable.of(POINTS))
    return net, x


def test_offsets_are_interpolated_between_points_of_equal_caps():
    table = BudgetTable.of(list(reversed(POINTS)))
    assert (table.rows[0, 0], table.rows[-1, 0], table.blocks) == (0.4, 0.9, 4)
    assert table.at(0.4) == POINTS[0][1]
    assert table.at(0.45).offsets == pytest.approx((0.75, 1.75, 2.75, 3.75))
    assert table.at(0.45).caps == (1, 3, 5, 2)
    assert table.at(0.8).offsets == pytest.approx((0.0,) * 4)
    assert table.at(0.8).caps == CAPS
    assert table.at(0.9) == POINTS[3][1]


def test_a_gap_between_other_caps_is_not_reached_over():
    table = BudgetTable.of([(s, Setting((0.0,), (k,))) for s, k in ((0.4, 1), (0.7, 2), (1.0, 3))])
    assert table.at(0.42).caps == (1,)
    assert table.at(0.68).caps == (2,)
    with pytest.raises(ValueError, match=rf'{CALIBRATED} \(0.400, 0.700, 1.000\)'):
        table.at(0.54)


def test_training_ends_the_fit():
    net, x = fitted()
    net.set_budget(share=0.5)
    net.train()
    with torch.no_grad():
        net(x)  # changes statistics only
    assert net.budget_table is not None
    with pytest.warns(UserWarning, match='training ends the fit of the halting'):
        net(x)
    assert net.budget_table is None
    for unit in net.halting_units():  # fitted scores are 0 or 1, and without gradient
        assert not unit.fc2.weight.any()
        assert float(unit.fc2.bias.detach()) == pytest.approx(unit.initial_bias)
    with pytest.raises(RuntimeError, match=r'budget\.share=0.5 has no effect'):
        net.eval()(x)


@pytest.mark.parametrize('share', [0.3, 0.95])
def test_an_unreachable_share(share):
    net, _ = fitted()
    with pytest.raises(ValueError, match=rf'{CALIBRATED} \(0.400, .*, 0.900\), got {share}'):
        net.set_budget(share=share)
    assert net.budget.share is None


def test_a_network_that_was_not_fitted():
    with pytest.raises(ValueError, match=r'budget.share needs fitted halting: .* got 0.5'):
        tiny_net().set_budget(share=0.5)
    net = tiny_net(budget=dict(share=0.5)).eval()
    with pytest.raises(RuntimeError, match=r'budget\.share=0.5 has no effect'):
        net(images(1))
    net.train()(images(2))  # budgets are of evaluation


@torch.no_grad()
def test_offsets_and_caps_are_those_of_the_share():
    net, x = fitted()
    by_hand = copy.deepcopy(net)
    net.set_budget(share=0.45)
    setting = net.budget_table.at(0.45)
    for block, offset in zip(blocks(by_hand), setting.offsets, strict=True):
        block.halting.fc2.bias += offset
    by_hand.set_budget(max_iterations=setting.caps)
    for found, wanted in zip(net(x), by_hand(x), strict=True):
        assert relative_error(found, wanted) <= 1e-5
    assert torch.equal(net.iterations(), by_hand.iterations())
    assert len(set(map(tuple, net.iterations().tolist()))) > 1
    assert net.iterations()[:, 0].max() == 1
    exported = ExportForm(net)(x)
    assert torch.equal(exported.iterations, net.iterations())
    iterations = net.iterations()
    net.optimize_for_inference()
    net(x)
    assert torch.equal(net.iterations(), iterations)


@torch.no_grad()
def test_none_restores():
    net, x = fitted()
    net(x)
    before = net.iterations()
    net.set_budget(share=0.45)
    net(x)
    assert not torch.equal(net.iterations(), before)
    net.set_budget()
    net(x)
    assert torch.equal(net.iterations(), before)


def test_training_ignores_the_offset():
    net, _ = fitted()
    unit = net.stages[1].blocks[0].halting
    pooled = torch.rand(2, 6, 16)
    plain = unit(*pooled)
    net.set_budget(share=0.6)
    assert not torch.equal(unit(*pooled), plain)
    assert torch.equal(net.train() and unit(*pooled), plain)


@torch.no_grad()
def test_it_travels_with_the_state_dict():
    net, x = fitted()
    net.set_budget(share=0.5)
    net(x)
    file = io.BytesIO()
    torch.save(net.half().state_dict(), file)  # half precision must not round the shares
    file.seek(0)
    other = tiny_net(budget=dict(share=0.5)).eval()
    assert other.load_state_dict(torch.load(file, weights_only=True)) == ([], [])
    assert torch.equal(other.budget_table.rows, net.budget_table.rows)
    assert [b.halting.offset for b in blocks(other)] == [b.halting.offset for b in blocks(net)]
    plain = tiny_net().state_dict()
    assert not any('budget_table' in key for key in plain)
    other.set_budget()
    assert other.load_state_dict(plain) == ([], [])
    assert other.budget_table is None
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin.budget.share == 0.5
        assert torch.equal(twin.budget_table.rows, net.budget_table.rows)


def test_a_table_of_other_stages_is_left_out():
    state = fitted()[0].state_dict()
    other = tiny_net(num_stages=3, max_iterations=(2, 3, 5))
    other.load_state_dict(state, strict=False)
    assert other.budget_table is None
    with pytest.raises(ValueError, match='must be of 3 blocks, got 4'):
        other.set_budget_table(BudgetTable.of(POINTS))


@pytest.mark.parametrize(
    ('rows', 'allowed'),
    [
        ([[0.5, 0.0, 1.0]], 'be a tensor'),
        (torch.zeros(0, 3), 'have the shape'),
        (torch.zeros(2, 4), 'have the shape'),
        (torch.tensor([[0.5, 0.0, 1.0], [0.4, 0.0, 1.0]]), 'be finite, its shares ascending'),
        (torch.tensor([[0.5, 0.0, 1.0], [0.6, 0.0, 0.0]]), 'be finite, .* its caps at least 1'),
    ],
)
def test_bad_tables(rows, allowed):
    with pytest.raises((TypeError, ValueError), match=f'budget_table must {allowed}'):
        BudgetTable(rows)


def test_a_table_without_the_budgets_share_changes_nothing():
    net, _ = fitted()
    net.set_budget(share=0.5)
    before = copy.deepcopy(net.state_dict())
    other = tiny_net()
    other.set_budget_table(BudgetTable.of([(0.8, POINTS[2][1]), (0.9, POINTS[3][1])]))
    for take, given in (
        (net.set_budget_table, other.budget_table),
        (net.load_state_dict, other.state_dict()),
    ):
        with pytest.raises(ValueError, match=rf'{CALIBRATED} \(0\.800, 0\.900\), got 0\.5'):
            take(given)
        after = net.state_dict()
        assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_weights_of_other_parts_leave_the_table():
    net, _ = fitted()
    model = torch.nn.ModuleDict({'backbone': net, 'head': torch.nn.Linear(2, 2)})
    head = {k: v for k, v in model.state_dict().items() if k.startswith('head.')}
    model.load_state_dict(head, strict=False)
    assert net.budget_table is not None
    model.load_state_dict({**varied_state(), **head}, strict=False)
    assert net.budget_table is None


def varied_state():
    """Of a network as ``fitted`` makes it, but without a table."""
    return {f'backbone.{k}': v for k, v in tiny_net().state_dict().items()}


def test_an_end_serves_shares_near_it():
    table = BudgetTable.of([(0.3, Setting((0.0,), (4,))), (0.99996, Setting((-1.0,), (4,)))])
    assert table.at(1.0).offsets == (-1.0,)
    assert table.at(0.295).offsets == (0.0,)
    for share in (0.26, 1.04, float('nan')):
        with pytest.raises(ValueError, match=rf'{CALIBRATED} \(0.300, 1.000\), got'):
            table.at(share)
