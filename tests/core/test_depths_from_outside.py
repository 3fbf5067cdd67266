"""The loop at given depths, on states that tell how often they were iterated."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iterbackbone.core.depths import run_to_depths
from iterbackbone.core.iteration import storing
from iterbackbone.core.loop import RunSettings

ACTIVE, MASKED = (RunSettings(leave, threshold=0.99, record_scores=False) for leave in (True, False))
both = pytest.mark.parametrize('settings', [ACTIVE, MASKED], ids=['active', 'masked'])
STATES = torch.tensor([1.0, 3.0, 7.0, 15.0])  # above s_0, after 1 to 4 iterations


def start(rows, **options):
    """Channel 0 holds the row's number, which no iteration changes."""
    x = torch.zeros(rows, 2, 2, 3, **options)
    x[:, 0] = torch.arange(rows).view(-1, 1, 1)
    return x


class Residual:
    """Adds 2^i to channel 1 and notes the rows."""

    def __init__(self):
        self.rows = []

    def __call__(self, state, i):
        self.rows.append(sorted(state[:, 0, 0, 0].long().tolist()))
        y = torch.zeros_like(state)
        y[:, 1] = 2.0**i
        return y


@both
@given(depths=st.lists(st.integers(1, 6), min_size=1, max_size=7), limit=st.integers(1, 4))
def test_each_row_has_the_state_of_its_depth(settings, depths, limit):
    residual = Residual()
    state = start(len(depths))
    result = run_to_depths(storing(residual), state, limit, torch.tensor(depths), settings)
    met = [min(d, limit) for d in depths]
    assert result.iterations.tolist() == met
    assert result.output[:, 0, 1, 2].tolist() == list(range(len(depths)))
    assert result.output[:, 1, 1, 2].tolist() == [float(STATES[n - 1]) for n in met]
    assert result.ponder_cost.tolist() == [n + 1 for n in met]
    assert result.steps == len(residual.rows) == max(met)
    assert result.scores is None
    everyone = list(range(len(depths)))
    for i, rows in enumerate(residual.rows):
        assert rows == ([k for k in everyone if met[k] > i] if settings.rows_leave else everyone)
    assert result.executed.tolist() == (met if settings.rows_leave else [max(met)] * len(met))


@both
def test_gradients_are_those_of_each_row_alone(settings):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, generator=generator, dtype=torch.float64).requires_grad_()
    state = torch.randn(4, 2, 2, 3, generator=generator, dtype=torch.float64).requires_grad_()
    depths = torch.tensor([2, 4, 1, 4])

    def residual(s, i):
        return torch.tanh(weight[i] * s)

    output = run_to_depths(storing(residual), state, 4, depths, settings).output
    alone = []
    for row, depth in zip(state, depths, strict=True):
        for i in range(depth):
            row = row + residual(row, i)
        alone.append(row)
    factors = torch.randn(4, 2, 2, 3, generator=generator, dtype=torch.float64)
    got = torch.autograd.grad((factors * output).sum(), [weight, state])
    expected = torch.autograd.grad((factors * torch.stack(alone)).sum(), [weight, state])
    torch.testing.assert_close(got, expected)


@both
def test_no_rows_take_one_iteration(settings):
    depths = torch.empty(0, dtype=torch.int64)
    result = run_to_depths(storing(Residual()), start(0), 3, depths, settings)
    assert (result.output.shape, result.iterations.shape, result.steps) == ((0, 2, 2, 3), (0,), 1)


def test_other_ranks_may_keep_the_loop_going():
    depths = torch.tensor([1, 2])
    settings = MASKED._replace(any_running=lambda running: True)
    result = run_to_depths(storing(Residual()), start(2), 4, depths, settings)
    assert result.steps == 4
    assert result.output[:, 1, 0, 0].tolist() == [1.0, 3.0]


def test_leaving_rows_never_waits_for_the_device():
    """A meta tensor has no values, so that reading one raises."""
    depths = torch.tensor([1, 3, 2, 3])
    state = torch.empty(4, 2, 2, 3, device='meta', requires_grad=True)
    result = run_to_depths(storing(lambda s, i: 2 * s), state, 3, depths, ACTIVE)
    result.output.sum().backward()
    assert result.output.shape == state.grad.shape == (4, 2, 2, 3)


@both
def test_the_memory_format_stays(settings):
    seen = []

    def residual(state, i):
        seen.append(state.is_contiguous(memory_format=torch.channels_last))
        return torch.ones_like(state)

    state = start(4).contiguous(memory_format=torch.channels_last)
    output = run_to_depths(storing(residual), state, 4, torch.tensor([1, 4, 2, 4]), settings).output
    assert seen == [True] * 4
    assert output.is_contiguous(memory_format=torch.channels_last)
