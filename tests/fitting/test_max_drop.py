"""The cheapest share that holds a limit, tested from the top."""

from __future__ import annotations

import pytest
import torch

from iterbackbone.fitting.max_drop import cheapest, least_sources


def test_the_order_and_where_it_stops():
    full = torch.ones(1000)
    scores = [full - drop for drop in (0.02, 0.001, 0.02, 0.0)]
    best, tested = cheapest([0.3, 0.5, 0.7, 0.9], scores, full, 0.005)
    assert best.share == 0.9  # 0.5 is never looked at: 0.7 failed
    assert [drop.share for drop in tested] == [0.9, 0.7]
    assert tested[1].mean == pytest.approx(0.02)


def test_few_images_cannot_show_what_they_have_not_seen():
    """With 20 images a total loss on 14% of all goes unseen in 5% of the cases: 0.86^20."""
    full = torch.ones(20)
    best, tested = cheapest([0.9], [full], full, 0.1)
    assert best is None
    assert tested[0].upper == pytest.approx(1 - 0.05 ** (1 / 20))


def test_none_where_even_the_dearest_fails():
    full = torch.ones(500)
    best, tested = cheapest([0.5, 0.9], [full - 0.1, full - 0.1], full, 0.005)
    assert best is None
    assert len(tested) == 1


def test_a_share_at_the_limit_is_passed_in_one_of_twenty_cases():
    """Ten shares that all lose exactly the limit: 5% of the data sets may pass any, not 40%."""
    torch.manual_seed(0)
    passed = 0
    for _ in range(100):
        full = (torch.rand(300) < 0.7).double()
        scores = [full - 0.05 + 0.3 * torch.randn(300) for _ in range(10)]
        passed += cheapest([i / 10 for i in range(10)], scores, full, 0.05)[0] is not None
    assert passed <= 11  # 5 expected; 12 or more have a probability of 0.4%


def test_images_of_one_source_count_once():
    """Twenty sources of fifty images each say as much as twenty images."""
    torch.manual_seed(0)
    sources, full = torch.arange(20).repeat_interleave(50), torch.ones(1000).double()
    lost = (torch.rand(20) < 0.1).double()[sources]
    _, alone = cheapest([0.5], [full - lost], full, 0.5)
    _, grouped = cheapest([0.5], [full - lost], full, 0.5, sources)
    assert grouped[0].mean == alone[0].mean
    assert grouped[0].upper > alone[0].upper + 0.05


def test_the_bound_is_that_of_a_mean():
    torch.manual_seed(0)
    difference = 0.1 + 0.2 * torch.randn(2000).double()
    _, (tested,) = cheapest([0.5], [-difference], torch.zeros(2000).double(), 0.5)
    error = float(difference.std()) / 2000**0.5
    assert tested.upper == pytest.approx(float(difference.mean()) + 1.645 * error, abs=0.1 * error)


@pytest.mark.parametrize('limit', [0.005, 0.01, 0.1])
def test_how_many_images_it_takes(limit):
    needed = least_sources(limit)
    for count, passes in ((needed, True), (needed - 1, False)):
        full = torch.ones(count)
        assert (cheapest([0.9], [full], full, limit)[0] is not None) == passes
