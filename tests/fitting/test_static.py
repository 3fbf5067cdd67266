"""The path of static budgets takes the step that pays most."""

from __future__ import annotations

import pytest
import torch

from iterbackbone.fitting.static import (
    Outcome,
    at_all_depths,
    block_curves,
    coarse_grid,
    depth_grid,
    menu,
    middle,
    static_path,
)


def run(depths):
    """The second block is worth three times the first one's iterations, and costs twice as much."""
    loss = 10 - 1.0 * (depths[0] - 1) - 3.0 * (depths[1] - 1)
    macs = 10 + 1.0 * depths[0] + 2.0 * depths[1]
    return Outcome(torch.full((3,), loss).double(), torch.full((3,), macs).double(), None)


@pytest.fixture
def path():
    return static_path(*block_curves(run, (3, 4)))


def test_the_better_block_first(path):
    assert [point.depths for point in path] == [(1, 1), (1, 2), (1, 3), (1, 4), (2, 4), (3, 4)]
    assert [point.macs for point in path] == [0, 2, 4, 6, 7, 8]
    assert middle(path) == (1, 3)


def test_a_step_that_pays_with_the_next_is_taken_with_it():
    curves = [torch.tensor([4.0, 3.5, 3.5]), torch.tensor([4.0, 4.5, 2.0])]
    depths = [point.depths for point in static_path(curves, [1.0, 1.0])]
    assert depths == [(1, 1), (1, 2), (1, 3), (2, 3), (3, 3)]


def test_harm_comes_last():
    curves = [torch.tensor([1.0, 2.0]), torch.tensor([1.0, 1.0])]
    assert [p.depths for p in static_path(curves, [1.0, 1.0])] == [(1, 1), (1, 2), (2, 2)]


def test_few_runs_whatever_the_depth():
    seen = []
    block_curves(lambda depths: seen.append(depths) or run(depths), (3, 36))
    assert sorted(set(seen)) == [(1, 1), (1, 6), (1, 36), (2, 1), (3, 1)]


def test_grids():
    assert depth_grid(1) == coarse_grid(1) == [1]
    assert depth_grid(6) == [1, 2, 3, 4, 6]
    assert depth_grid(36) == [1, 2, 3, 4, 6, 9, 14, 21, 32, 36]
    assert coarse_grid(2) == [1, 2]


def test_losses_between_measured_depths_are_on_a_line():
    values = torch.tensor([[5.0, 3.0, 0.0]]).double()
    assert at_all_depths(values, [1, 3, 6]).tolist() == [[5, 4, 3, 2, 1, 0]]


def test_the_menu_has_both_ends_and_the_bends_between_them(path):
    assert [p.depths for p in menu(path, 3)] == [(1, 1), (1, 4), (3, 4)]
    assert menu(path, 20) == path
    assert menu(path[:1], 8) == path[:1]


def test_the_menu_has_budgets_where_the_first_iterations_gain_most():
    """Budgets evenly spaced in MACs would leave out (3,), whose neighbours' mixture is worse."""
    curve = torch.tensor([10.0, 6, 3, 2, 1.9, 1.8, 1.7, 1.6, 1.5])
    path = static_path([curve], [1.0])
    assert [p.gain for p in path] == pytest.approx((10 - curve).tolist())
    assert [p.depths[0] for p in menu(path, 5)] == [1, 2, 3, 4, 9]
