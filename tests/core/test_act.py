"""Algorithm 1's arithmetic by itself: hand-checked cases and invariants."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from iterbackbone.core import act

from . import golden

TOLERANCE = 1e-6


def run(scores: Tensor, threshold: float) -> tuple[list[act.HaltingState], Tensor]:
    """All states, the first included, and the weights w_i of the states, (B, L).

    ``scores`` is (B, L - 1); the forced 1 comes last.
    """
    rows = len(scores)
    states = [act.initial_state(rows, scores.device)]
    shares = [act.output_weight(states[0])]
    for score in (*scores.unbind(1), torch.ones(rows)):
        states.append(act.advance(states[-1], score, threshold))
        shares.append(act.output_weight(states[-1]))
    return states, torch.stack(shares[:-1], dim=1) - torch.stack(shares[1:], dim=1)


def test_hand_checked_cases():
    scores = torch.tensor(golden.SCORES, requires_grad=True)
    states, weights = run(scores, golden.THRESHOLD)
    cost = act.ponder_cost(states[-1])
    cost.sum().backward()
    assert states[-1].iterations.tolist() == list(golden.ITERATIONS)
    assert cost.dtype == torch.float32
    torch.testing.assert_close(cost, torch.tensor(golden.COSTS), rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(weights, torch.tensor(golden.WEIGHTS), rtol=0, atol=TOLERANCE)
    assert scores.grad.tolist() == [list(map(float, row)) for row in golden.GRADIENTS]
    assert not states[-1].running.any()


def test_before_the_first_iteration():
    state = act.initial_state(3, torch.device('cpu'))
    assert state.cumulative.tolist() == [0.0] * 3
    assert state.remainder.tolist() == [1.0] * 3
    assert state.iterations.tolist() == [0] * 3
    assert state.running.tolist() == [True] * 3
    assert [field.dtype for field in state] == [torch.float32, torch.float32, torch.int64, torch.bool]
    assert act.output_weight(state).tolist() == [1.0] * 3


def test_a_sum_equal_to_the_threshold_halts():
    state = act.initial_state(1, torch.device('cpu'))
    state = act.advance(state, torch.tensor([0.25]), 0.5)
    assert state.running.tolist() == [True]
    state = act.advance(state, torch.tensor([0.25]), 0.5)
    assert state.running.tolist() == [False]
    assert act.ponder_cost(state).tolist() == [2.75]


def test_nan_halts_its_row_only():
    state = act.initial_state(2, torch.device('cpu'))
    state = act.advance(state, torch.tensor([torch.nan, 0.25]), 0.99)
    assert state.running.tolist() == [False, True]
    assert act.ponder_cost(state)[0].isnan()
    assert act.ponder_cost(state)[1].item() == 1.75


def test_select_keeps_rows_in_the_order_asked_for():
    states, _ = run(torch.tensor(golden.SCORES), golden.THRESHOLD)
    picked = states[2].select(torch.tensor([3, 0]))
    assert picked.iterations.tolist() == [2, 2]
    torch.testing.assert_close(picked.cumulative, torch.tensor([0.8, 0.51]))
    torch.testing.assert_close(picked.remainder, torch.tensor([0.2, 0.49]))
    assert picked.running.tolist() == [True, True]


@st.composite
def score_tables(draw, max_length: int = 8) -> Tensor:
    """(B, L - 1) scores; among them many that stand just beside 0, the threshold and 1."""
    rows, length = draw(st.integers(1, 5)), draw(st.integers(1, max_length))
    edge = st.sampled_from([0.0, 1e-6, 0.005, 0.33, 0.495, 0.98999, 0.99, 0.999, 1.0])
    score = st.one_of(st.floats(0, 1, width=32), edge, st.floats(0, 0.25, width=32))
    row = st.lists(score, min_size=length - 1, max_size=length - 1)
    table = draw(st.lists(row, min_size=rows, max_size=rows))
    return torch.tensor(table, dtype=torch.float32).view(rows, length - 1)


epsilons = st.one_of(st.just(0.01), st.floats(0.001, 0.5))


@given(score_tables(), epsilons)
def test_invariants(scores, epsilon):
    states, weights = run(scores, 1 - epsilon)
    last = states[-1]
    cost = act.ponder_cost(last)
    assert (last.remainder > epsilon - TOLERANCE).all()
    assert (last.remainder <= 1).all()
    assert (last.iterations >= 1).all()
    assert (last.iterations <= scores.shape[1] + 1).all()
    assert (cost > last.iterations).all()
    assert (cost <= last.iterations + 1).all()
    assert (weights >= -TOLERANCE).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(len(scores)), rtol=0, atol=TOLERANCE)
    assert not last.running.any()


@given(score_tables(), epsilons)
def test_agrees_with_a_loop_in_plain_numbers(scores, epsilon):
    threshold = 1 - epsilon
    states, weights = run(scores, threshold)
    for row, table in enumerate(scores.tolist()):
        total, used = torch.zeros(()), []
        for score in (*table, 1.0):
            total = total + score  # float32, as the arithmetic under test
            if not total < threshold:
                break
            used.append(score)
        expected = [*used, 1.0 - sum(used), *[0.0] * (len(table) - len(used))]
        assert states[-1].iterations[row] == len(used) + 1
        torch.testing.assert_close(weights[row], torch.tensor(expected), rtol=0, atol=TOLERANCE)


@given(score_tables(), epsilons, st.floats(0, 1, width=32))
def test_later_scores_do_not_change_halted_rows(scores, epsilon, other):
    states, _ = run(scores, 1 - epsilon)
    for i, state in enumerate(states[1:], start=1):
        changed = scores.clone()
        changed[:, i:] = other
        after, _ = run(changed, 1 - epsilon)
        halted = ~state.running
        for mine, theirs in zip(states[-1], after[-1], strict=True):
            assert torch.equal(mine[halted], theirs[halted])
        assert (act.output_weight(state)[halted] == 0).all()
