"""The path of static budgets takes the step that pays most."""

from __future__ import annotations

import torch

from iterbackbone.fitting.static import Outcome, menu, static_path


def run(depths):
    """The second block is worth three times the first one's iterations, and costs twice as much."""
    loss = 10 - 1.0 * (depths[0] - 1) - 3.0 * (depths[1] - 1)
    macs = 10 + 1.0 * depths[0] + 2.0 * depths[1]
    return Outcome(torch.full((3,), loss), torch.full((3,), macs), None)


def test_the_better_block_first():
    depths = [point.depths for point in static_path(run, (3, 4))]
    assert depths == [(1, 1), (1, 2), (1, 3), (1, 4), (2, 4), (3, 4)]


def test_long_blocks_take_longer_steps():
    depths = [point.depths[0] for point in static_path(lambda d: run((d[0], 1)), (36,))]
    assert depths == [1, 2, 3, 4, 6, 9, 14, 21, 32, 36]


def test_the_menu_has_both_ends_and_is_even():
    path = static_path(run, (3, 4))
    assert [p.depths for p in menu(path, 3)] == [(1, 1), (1, 3), (3, 4)]
    assert menu(path, 20) == path
