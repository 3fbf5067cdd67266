"""Shares of a policy whose share is a known function of the price."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import pytest
import torch

from iterbackbone.fitting.calibration import GAP, Calibration
from iterbackbone.fitting.halting import FittedBlock
from iterbackbone.fitting.static import Outcome

LOWEST, DEPTH = 0.3, 8


class PlainUnit(NamedTuple):
    """Its offset is the price."""

    def offset(self, price):
        return price


def calibration(share_at):
    """Of one block; ``share_at`` gives the share of the full MACs at a price from -1 to 1."""
    indices = torch.linspace(-1, 1, 200).double().expand(DEPTH - 1, -1)  # promises a straight line
    block = FittedBlock(PlainUnit(), None, indices, torch.zeros(200, DEPTH), (1 - LOWEST) / (DEPTH - 1))

    def run(setting):
        share = share_at(max(-1.0, min(1.0, setting.offsets[0])))
        return Outcome(torch.zeros(4), torch.full((4,), 100 * share).double(), None)

    return Calibration(run, [block], [(1,)], 100.0, LOWEST)


def gaps(found):
    return [high - low for low, high in pairwise(sorted(run.share for run in found.runs))]


def test_gaps_are_filled():
    found = calibration(lambda price: LOWEST + (1 - LOWEST) * (1 - price) / 2)
    reached = [found.meet(share).share for share in (0.4, 0.9)]
    assert reached == pytest.approx([0.4, 0.9], abs=0.02)
    assert max(gaps(found)) > GAP
    found.fill_gaps()
    assert max(gaps(found)) <= GAP


def test_a_jump_stays():
    found = calibration(lambda price: LOWEST if price > 0 else 0.9)
    found.meet(LOWEST)
    found.meet(0.9)
    found.fill_gaps()
    assert {run.share for run in found.runs} == {LOWEST, 0.9}
    assert len(found.runs) < 12
