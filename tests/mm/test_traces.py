"""Traces are collected for each thread by itself."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import torch
from torch import nn

from iterbackbone.mm.traces import TraceCollector
from tests.support.networks import tiny_net


def test_threads_on_one_model_hear_their_own_calls():
    model, both_called = nn.Sequential(tiny_net()).eval(), Barrier(2)
    collector = TraceCollector(model)

    def rows(count):
        collector.reset()
        model(torch.rand(count, 3, 32, 32))
        both_called.wait(timeout=60)
        return [len(call.trace.iterations) for call in collector.calls]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(rows, [2, 5])) == [[2], [5]]
    assert collector.calls == []
    assert copy.deepcopy(collector).calls == []
