"""create_model: weights of more iterations than the network is to have."""

from __future__ import annotations

import pytest
import torch

from iterbackbone import create_model
from iterbackbone.core.budgeted import TABLE_KEY
from iterbackbone.pretrained.models import _load

SHIPPED = 'iterative_resnet50_w32.tiny_imagenet'


def made(max_iterations):
    options = dict(pretrained=True, features_only=True, max_iterations=max_iterations)
    return create_model(SHIPPED, **options).eval()


@pytest.mark.parametrize('limits', [(1, 1, 1, 1), (2, 2, 3, 2)])
def test_the_first_iterations_are_those_of_a_budget(limits):
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    few, all_of_them = made(limits), made((3, 4, 6, 3))
    all_of_them.set_budget(max_iterations=limits)
    with torch.no_grad():
        for found, wanted in zip(few(x), all_of_them(x), strict=True):
            torch.testing.assert_close(found, wanted)
    assert sum(x.numel() for x in few.parameters()) < sum(x.numel() for x in all_of_them.parameters())


def test_calibrated_shares_of_more_iterations_are_left_out():
    net, table = made((2, 2, 3, 2)), torch.tensor([[0.5, *4 * [0.0], *4 * [3.0]]]).double()
    for limits, kept in (((3, 4, 6, 3), False), ((2, 2, 3, 2), True)):
        _load(net, {**made(limits).state_dict(), TABLE_KEY: table}, 'these')
        assert (net.budget_table is not None) == kept
        net.set_budget_table(None)


def test_more_iterations_are_refused_in_one_line():
    with pytest.raises(ValueError, match=r'must fit the weights, got .*Missing key') as error:
        made((3, 4, 7, 3))
    assert '\n' not in str(error.value)
    assert len(str(error.value)) < 500
