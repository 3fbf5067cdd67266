"""How often and in which order runs are timed; no time is asserted."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from iterbackbone.timing import checked_device, forward_seconds


def test_every_round_runs_everything_once_on_one_thread():
    calls = []

    def run(name):
        return lambda: calls.append((name, torch.get_num_threads(), torch.is_inference_mode_enabled()))

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    seconds = forward_seconds({name: run(name) for name in 'abc'}, rounds=10)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    assert {key: len(each) for key, each in seconds.items()} == {'a': 10, 'b': 10, 'c': 10}
    assert {call[1:] for call in calls} == {(1, True)}
    rounds = [tuple(name for name, *_ in calls[i : i + 3]) for i in range(0, len(calls), 3)]
    assert len(rounds) == 11  # the first warms up
    assert all(Counter(names) == Counter('abc') for names in rounds)
    assert len(set(rounds)) > 1


def test_one_round_has_no_spread():
    with pytest.raises(ValueError, match='rounds must be at least 2, got 1'):
        forward_seconds({}, 1)


@pytest.mark.parametrize('device', ['abacus', 'meta', 'cpu:x', ''])
def test_a_device_that_computes_nothing_is_refused(device):
    with pytest.raises(ValueError, match=f"--device must be one that torch can use, got '{device}'"):
        checked_device(device)
    assert checked_device('cpu') == 'cpu'
