"""The loop over a batch, in both executions, on scripted scores and outputs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from iterbackbone.core.iteration import storing
from iterbackbone.core.loop import BlockResult, RunSettings, run_iterations

from . import golden
from .test_act import epsilons, score_tables

both = pytest.mark.parametrize('rows_leave', [True, False], ids=['active', 'masked'])


class Script:
    """Scores and outputs by row and iteration.

    Channel 0 of the state holds the row's number, and no output changes it, so that a row
    is known again after others have left the batch. Channel 1 carries the features.
    """

    def __init__(self, scores: Tensor, outputs: Tensor) -> None:
        self.scores, self.outputs = scores, outputs  # (B, L - 1), (B, L)
        self.rows_seen: list[list[int]] = []
        self.scored: list[list[int]] = []

    def start(self) -> Tensor:
        numbers = torch.arange(len(self.scores), dtype=torch.float32)
        return torch.stack([numbers, 10.0 + numbers], dim=1).view(-1, 2, 1, 1).repeat(1, 1, 2, 3)

    def residual(self, state: Tensor, i: int) -> Tensor:
        rows = state[:, 0, 0, 0].round().long()
        self.rows_seen.append(rows.tolist())
        y = torch.zeros_like(state)
        y[:, 1] = self.outputs[rows, i].view(-1, 1, 1)
        return y

    def score(self, pooled_state: Tensor, pooled_output: Tensor) -> Tensor:
        rows = pooled_state[:, 0].round().long()
        self.scored.append(rows.tolist())
        i = len(self.scored) - 1
        sums = 10.0 + rows + self.outputs[rows, : i + 1].sum(1)
        torch.testing.assert_close(pooled_state[:, 1], sums)
        torch.testing.assert_close(pooled_output[:, 1], self.outputs[rows, i])
        return self.scores[rows, i]

    def run(
        self, rows_leave: bool, threshold: float = golden.THRESHOLD, record_scores=False, **options
    ) -> BlockResult:
        settings = RunSettings(rows_leave, threshold, record_scores, **options)
        limit = self.outputs.shape[1]
        return run_iterations(storing(self.residual), self.score, self.start(), limit, settings)


def golden_script(requires_grad: bool = False) -> Script:
    scores = torch.tensor(golden.SCORES, requires_grad=requires_grad)
    return Script(scores, torch.tensor([[1.0, 2.0, 4.0, 8.0, 16.0]]).repeat(4, 1))


@both
def test_hand_checked_cases_as_four_rows(rows_leave):
    script = golden_script(requires_grad=True)
    result = script.run(rows_leave)
    result.ponder_cost.sum().backward()
    assert result.iterations.tolist() == list(golden.ITERATIONS)
    assert result.ponder_cost.dtype == torch.float32
    torch.testing.assert_close(result.ponder_cost, torch.tensor(golden.COSTS), rtol=0, atol=1e-6)
    assert script.scores.grad.tolist() == [list(map(float, row)) for row in golden.GRADIENTS]
    assert result.steps == 5


@both
def test_hand_checked_weights_of_the_states(rows_leave):
    output = golden_script().run(rows_leave).output
    states = torch.tensor([1.0, 3.0, 7.0, 15.0, 31.0])  # above s_0
    expected = 10.0 + torch.arange(4.0) + torch.tensor(golden.WEIGHTS) @ states
    torch.testing.assert_close(output[:, 1, 1, 2], expected, rtol=0, atol=2e-6)
    torch.testing.assert_close(output[:, 0, 0, 0], torch.arange(4.0))


@both
@pytest.mark.parametrize('case', range(4))
def test_hand_checked_cases_one_at_a_time(rows_leave, case):
    scores = torch.tensor([golden.SCORES[case]], requires_grad=True)
    script = Script(scores, torch.ones(1, 5))
    result = script.run(rows_leave)
    assert result.iterations.item() == golden.ITERATIONS[case]
    assert result.ponder_cost.item() == pytest.approx(golden.COSTS[case], abs=1e-6)
    assert result.steps == len(script.rows_seen) == golden.ITERATIONS[case]
    if result.ponder_cost.requires_grad:
        result.ponder_cost.sum().backward()
    gradient = torch.zeros(1, 4) if scores.grad is None else scores.grad
    assert gradient.tolist() == [list(map(float, golden.GRADIENTS[case]))]


def test_active_runs_only_the_rows_that_go_on():
    script = golden_script()
    result = script.run(rows_leave=True)
    assert script.rows_seen == [[0, 1, 2, 3], [0, 2, 3], [0, 2, 3], [2], [2]]
    assert script.scored == script.rows_seen[:4]  # none at the last iteration
    assert result.executed.tolist() == list(golden.ITERATIONS)


def test_masked_runs_all_rows_until_the_last_has_halted():
    script = golden_script()
    result = script.run(rows_leave=False)
    assert script.rows_seen == [[0, 1, 2, 3]] * 5
    assert script.scored == [[0, 1, 2, 3]] * 4
    assert result.executed.tolist() == [5, 5, 5, 5]


@both
def test_the_loop_ends_with_its_last_row(rows_leave):
    script = Script(torch.tensor([[0.6, 0.6, 0.1], [0.999, 0.1, 0.1]]), torch.ones(2, 4))
    assert script.run(rows_leave).steps == 2
    assert len(script.rows_seen) == len(script.scored) == 2


@both
def test_other_ranks_may_keep_the_loop_going(rows_leave):
    script = Script(torch.tensor([[0.999, 0.3, 0.3]]), torch.tensor([[1.0, 2.0, 4.0, 8.0]]))
    result = script.run(rows_leave, any_running=lambda running: True)
    assert result.steps == 4
    assert result.iterations.tolist() == [1]
    assert result.ponder_cost.tolist() == [2.0]
    assert result.output[0, 1].flatten().tolist() == [11.0] * 6


@both
def test_recorded_scores(rows_leave):
    scores = golden_script().run(rows_leave, record_scores=True).scores
    nan = float('nan')
    expected = [
        [0.01, 0.5, 0.6, nan, nan],
        [0.999, nan, nan, nan, nan],
        [0.01, 0.01, 0.01, 0.01, 1.0],
        [0.4, 0.4, 0.4, nan, nan],
    ]
    torch.testing.assert_close(scores, torch.tensor(expected), equal_nan=True)
    assert golden_script().run(rows_leave).scores is None


@both
def test_one_iteration_asks_for_no_score(rows_leave):
    script = Script(torch.empty(2, 0), torch.tensor([[3.0], [5.0]]))
    result = script.run(rows_leave, record_scores=True)
    assert script.scored == []
    assert result.iterations.tolist() == [1, 1]
    assert result.ponder_cost.tolist() == [2.0, 2.0]
    assert result.output[:, 1, 0, 0].tolist() == [13.0, 16.0]
    assert result.scores.tolist() == [[1.0], [1.0]]


@given(score_tables(max_length=6), epsilons, st.booleans(), st.randoms(use_true_random=False))
def test_output_is_the_weighted_sum_of_the_states(scores, epsilon, rows_leave, random):
    rows, length = scores.shape[0], scores.shape[1] + 1
    y = torch.tensor([[random.uniform(0, 4) for _ in range(length)] for _ in range(rows)])
    result = Script(scores, y).run(rows_leave, threshold=1 - epsilon)
    for row in range(rows):
        start, n = 10.0 + row, int(result.iterations[row])
        weights = scores[row, : n - 1].double()
        weights = torch.cat([weights, 1 - weights.sum(0, keepdim=True)])
        states = start + y[row, :n].double().cumsum(0)
        before = 1 - torch.cat([torch.zeros(1).double(), weights[:-1].cumsum(0)])
        weighted, incremental = (weights * states).sum(), start + (before * y[row, :n]).sum()
        assert float(weighted) == pytest.approx(float(incremental), rel=1e-9)
        assert result.output[row, 1, 0, 0].item() == pytest.approx(float(weighted), rel=2e-6)
        assert result.ponder_cost[row].item() == pytest.approx(n + float(weights[-1]), abs=1e-6)


@pytest.mark.parametrize('rows_leave', [True, False])
def test_a_halted_row_is_safe_from_what_it_would_have_become(rows_leave):
    """Row 0 halts at the first iteration; its second y would be infinite."""

    def residual(state, i):
        first = state[:, :1, :1, :1] == 1.0
        return torch.where(first, 1.0 if i == 0 else torch.inf, 1.0).expand_as(state).clone()

    def score(pooled_state, _):
        return torch.where(pooled_state[:, 0] == 2.0, 1.0, 0.1)

    state = torch.tensor([1.0, 5.0]).view(2, 1, 1, 1).repeat(1, 1, 2, 2)
    settings = RunSettings(rows_leave, threshold=0.99, record_scores=False)
    result = run_iterations(storing(residual), score, state, 3, settings)
    assert result.iterations.tolist() == [1, 3]
    assert result.output[:, 0, 0, 0].tolist() == pytest.approx([2.0, 5.0 + 1 + 0.9 + 0.8])


@both
def test_the_memory_format_stays(rows_leave):
    script, seen = golden_script(), []

    def residual(state, i):
        seen.append(state.is_contiguous(memory_format=torch.channels_last))
        return script.residual(state, i)

    settings = RunSettings(rows_leave, golden.THRESHOLD, record_scores=False)
    state = script.start().contiguous(memory_format=torch.channels_last)
    output = run_iterations(storing(residual), script.score, state, 5, settings).output
    assert seen == [True] * 5
    assert output.is_contiguous(memory_format=torch.channels_last)
