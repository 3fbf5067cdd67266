"""The index decides as comparing every gain with its price does."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iterbackbone.core.halting import HaltingUnit
from iterbackbone.fitting.index import fit_index, fit_unit, stopped_at


def planted(rows=600, depth=4, noise=0.0, seed=0):
    """Inputs, losses and gains: half of the rows gain 1 from each iteration, the others nothing.

    Input 0 tells which.
    """
    torch.manual_seed(seed)
    gains = (torch.rand(rows) < 0.5).double()
    losses = 5 - gains.unsqueeze(1) * torch.arange(depth)
    losses = losses + noise * torch.randn(rows, depth)
    inputs = torch.randn(depth - 1, rows, 8)
    inputs[:, :, 0] = gains.float() + 0.1 * inputs[:, :, 0]
    inputs[:, :, 1] = torch.arange(depth - 1.0).unsqueeze(1)  # the state grows
    return inputs, losses, gains


FOLDS = torch.arange(600) % 10
HELD_OUT = FOLDS == 0


def unit_of(inputs, losses):
    """A unit of 16 neurons, fitted as to a block."""
    index, _ = fit_index(inputs[:, ~HELD_OUT], losses[~HELD_OUT], 0.1, FOLDS[~HELD_OUT])
    return fit_unit(inputs, losses, index, HELD_OUT, hidden=16)


@given(st.integers(0, 10_000), st.floats(-2, 2))
def test_stopping_by_the_index_is_stopping_where_no_gain_exceeds_its_price(seed, price):
    generator = torch.Generator().manual_seed(seed)
    depth, rows, each = 5, 40, 0.2
    gains = [torch.randn(rows, depth - j, generator=generator) for j in range(1, depth)]
    steps = [torch.arange(1, depth - j + 1) for j in range(1, depth)]
    index = torch.stack([(g / (s * each)).max(1).values for g, s in zip(gains, steps, strict=True)])
    wanted = torch.full((rows,), depth)
    alive = torch.ones(rows, dtype=torch.bool)
    for j in range(1, depth):  # the rule as it stands in the trial
        value = (gains[j - 1] - price * each * steps[j - 1]).max(1).values
        stop = alive & (value <= 0)
        wanted[stop] = j
        alive &= ~stop
    assert torch.equal(stopped_at(index, price), wanted)


def test_planted_gains_are_predicted():
    inputs, losses, gains = planted(noise=0.3)
    index, correlation = fit_index(inputs, losses, 0.1, FOLDS)
    assert correlation > 0.5
    depths = stopped_at(index, 5.0)  # 1 over 0.1 of the MACs is worth 10 where there is a gain
    assert (depths[gains == 1] == 4).float().mean() > 0.95
    assert (depths[gains == 0] == 1).float().mean() > 0.95


def test_unpredictable_gains_are_said_to_be():
    inputs, losses, _ = planted(noise=0.5)
    index, _ = fit_index(inputs, losses[torch.randperm(600)], 0.1, FOLDS)
    assert index is None


@pytest.mark.parametrize('layer_norm', [False, True])
def test_a_unit_halts_as_its_index_says(layer_norm):
    """The inputs are what the unit's first layer reads: behind the layer norm, if it has one."""
    inputs, losses, _ = planted(noise=0.3)
    pooled = inputs.unflatten(2, (2, 4))
    unit = HaltingUnit(4, 4, hidden=16, layer_norm=layer_norm).eval()
    inputs = torch.stack([unit.normalised(x) for x in pooled]).flatten(2)
    fit = unit_of(inputs, losses)
    assert fit.correlation > 0.5
    fit.install(unit)
    for price in (0.0, 2.0, 5.0):
        unit.offset = fit.offset(price)
        scores = torch.stack([unit(*x.unbind(dim=1)) for x in pooled])
        wanted = fit(inputs) > price
        sure = (fit(inputs) - price).abs() > 0.05 * fit.scale
        assert sure.float().mean() > 0.9
        assert torch.equal((scores < 0.01)[sure], wanted[sure])
        assert torch.equal((scores > 0.99)[sure], ~wanted[sure])


def test_rows_of_one_source_are_not_independent_evidence():
    """30 sources of 40 rows each, all noise: chance correlations of sources must not count 40-fold."""
    found = []
    for seed in range(10):
        torch.manual_seed(seed)
        source = torch.arange(30).repeat_interleave(40)
        inputs = torch.randn(30, 8)[source].unsqueeze(0)
        losses = torch.randn(30, 2)[source].double()
        index, _ = fit_index(inputs, losses, 0.1, source % 10)
        found.append(index is not None)
    assert sum(found) <= 1


def test_an_input_that_never_varied_counts_nothing():
    """Else a channel that is dead on the fitting images alone would drown all others."""
    inputs, losses, _ = planted(noise=0.3)
    inputs[:, :, 7] = 0.0
    fit = unit_of(inputs, losses)
    alive = inputs.clone()
    alive[:, :, 7] = 1.0
    assert torch.equal(fit(alive), fit(inputs))
    assert not fit.fc1[0][:, 7].any()
    assert (fit.fc1[0][:, :7] != 0).any(dim=0).all()
