"""What a block's fit promises is what its rows would do."""

from __future__ import annotations

import pytest
import torch

from iterbackbone.fitting.halting import FittedBlock
from iterbackbone.fitting.index import UnitFit, stopped_at

NONE = (torch.zeros(0), torch.zeros(0))
UNIT = UnitFit(NONE, NONE, 1.0, 0.5, 'linear')


@pytest.mark.parametrize('price', [-9.0, -0.5, 0.0, 0.3, 1.0, 9.0])
def test_share_and_change_at_a_price(price):
    indices = torch.randn(4, 50).double().mul(4).round().div(4)  # with ties
    losses = torch.randn(50, 5).double()
    block = FittedBlock(UNIT, None, indices, losses, 0.07)
    depths = stopped_at(indices, price)
    assert block.share(1, price) == float((depths - 1).double().mean()) * 0.07
    reached = losses[torch.arange(50), depths - 1]
    assert block.change(1, price) == float((reached - losses[:, 0]).mean())


def test_a_constant_has_no_price():
    losses = torch.randn(50, 5).double()
    block = FittedBlock(None, None, torch.zeros(4, 50), losses, 0.07)
    assert block.share(3, 0.1) == block.share(3, -2.0) == 2 * 0.07
    assert block.change(3, 0.1) == float((losses[:, 2] - losses[:, 0]).mean())
