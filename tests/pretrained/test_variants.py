"""The table of backbones: counts, what is timed, what is kept, what is recommended."""

from __future__ import annotations

import os
import signal

import pytest
import torch

from iterbackbone import create_model, list_models
from iterbackbone.core.macs import mac_table
from iterbackbone.pretrained import variants as module
from iterbackbone.pretrained.index import find_weights
from iterbackbone.pretrained.variants import Variant, bound_runs, recommendation, variants

NAMES = ['iterative_resnet152_small', 'iterative_resnet50_w32']
SIZE = (32, 48)
MEMORIES = module._memories


@pytest.fixture(autouse=True)
def two_names(monkeypatch, tmp_path):
    monkeypatch.setattr(module, 'list_models', lambda: NAMES)
    monkeypatch.setattr(module, 'ROUNDS', 2)
    monkeypatch.setattr(module, '_memories', lambda names, *_: [1.0] * len(names))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))


def never(done, total):
    raise AssertionError('nothing is measured')


def test_counts_and_times(monkeypatch):
    monkeypatch.setattr(module, '_memories', MEMORIES)  # itself
    calls = []
    found, where = variants(SIZE, 'cpu', False, lambda *each: calls.append(each))
    assert calls == [(k, 14) for k in range(1, 15)]  # memory; a warm-up and two rounds of four runs
    assert [each.name for each in found] == NAMES[::-1]
    assert where.endswith(f', {torch.get_num_threads()} threads, cpu; measured now')
    for each in found:
        network = create_model(each.name, features_only=True)
        table = mac_table(network, SIZE)
        assert each.macs == (table.lowest, table.highest)
        assert each.parameters == sum(p.numel() for p in network.parameters())
        assert min(each.ms) > 0
        assert each.memory > 4e-6 * each.parameters
    first = next(iter(find_weights(NAMES[1]).figures.items()))
    assert [each.figure for each in found] == [first, None]


def test_the_bounds_that_are_timed():
    network = create_model('iterative_resnet50', features_only=True, base_channels=4).eval()
    runs = bound_runs(network, network, torch.rand(1, 3, *SIZE))
    for key, wanted in (('highest', [3, 4, 6, 3]), ('lowest', [1, 1, 1, 1]), ('highest', [3, 4, 6, 3])):
        runs[key]()
        assert network.iterations()[0].tolist() == wanted


def test_advice_names_networks():
    assert set(module.ADVICE) == {'CPU', 'GPU', 'edge'}
    assert {name for name, _ in module.ADVICE.values()} <= set(list_models())


def test_times_are_kept_for_their_setting(tmp_path):
    found, where = variants(SIZE, 'cpu', False, lambda *each: None)
    again, before = variants(SIZE, 'cpu', False, never)
    assert (again, before) == (found, where.replace('measured now', 'measured before'))
    for changed in (dict(size=(32, 32)), dict(again=True)):
        arguments = dict(size=SIZE, device='cpu', again=False, done=never) | changed
        with pytest.raises(AssertionError, match='nothing is measured'):
            variants(**arguments)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        with pytest.raises(AssertionError, match='nothing is measured'):
            variants(SIZE, 'cpu', False, never)
    finally:
        torch.set_num_threads(threads)
    (file,) = tmp_path.rglob('variants-*.json')
    file.write_text('{')
    with pytest.raises(AssertionError, match='nothing is measured'):
        variants(SIZE, 'cpu', False, never)


def test_a_cache_that_cannot_be_written_costs_no_measurement(tmp_path):
    (tmp_path / 'iterbackbone').write_text('a file')
    _, where = variants(SIZE, 'cpu', False, lambda *each: None)
    assert 'measured now, not kept: ' in where
    assert str(tmp_path / 'iterbackbone') in where


@pytest.mark.parametrize('device', ['gpu', 'meta', 'cuda:99'])
def test_a_device_that_is_not_there(device):
    with pytest.raises(ValueError, match=f"device must be one that torch can use, got '{device}': "):
        variants(SIZE, device, False, never)


@pytest.mark.parametrize(
    ('target', 'text'),
    [
        (50, 'b: the most MACs of those that run all iterations in 50 ms'),
        (45, 'a: the most MACs of those that run all iterations in 45 ms'),
        (25, 'c under a budget: no backbone runs all iterations in 25 ms'),
        (5, 'none: the fastest, a, takes 10 ms at one iteration'),
    ],
)
def test_recommendations(target, text):
    rows = [('a', (1, 3), (10.0, 40.0)), ('b', (2, 5), (20.0, 50.0)), ('c', (3, 9), (21.0, 90.0))]
    assert recommendation([Variant(name, 1, *each, 1.0, None) for name, *each in rows], target) == text


def test_a_size_that_the_memory_is_too_small_for():
    wanted = 'an image of 99999999x99999999 pixels failed: .*memory'
    with pytest.raises(ValueError, match=wanted):
        variants((99999999, 99999999), 'cpu', True, lambda *_: None)


def killed(name, size, device):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_run_that_the_system_ends_is_an_error(monkeypatch):
    monkeypatch.setattr(module, '_memories', MEMORIES)
    monkeypatch.setattr(module, '_memory', killed)
    with pytest.raises(ValueError, match=r'an image of 32x48 pixels failed: .*terminated abruptly'):
        variants(SIZE, 'cpu', True, lambda *_: None)
