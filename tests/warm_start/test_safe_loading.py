"""Checkpoints are read as weights only; one that wants to run code is refused."""

from __future__ import annotations

import contextlib
import os
import pickle
import zipfile
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch
from torch import nn

from iterbackbone.mm import PonderCostHook
from iterbackbone.warm_start.safe_loading import flaws, load_checkpoint, state_dict_of
from tests.support.resnets import Attribute, RunsCode
from tests.support.tiny_training import train_tiny


@pytest.fixture
def payload(tmp_path):
    return tmp_path / 'ran'


@pytest.fixture(params=['zip', 'legacy', 'plain pickle'])
def malicious(request, tmp_path, payload):
    path = tmp_path / 'weights.pth'
    content = {'state_dict': {'a': torch.zeros(1)}, 'meta': {'note': RunsCode(payload)}}
    if request.param == 'plain pickle':
        path.write_bytes(pickle.dumps(RunsCode(payload), protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=request.param == 'zip')
    return path


def test_code_is_not_run(malicious, payload):
    with pytest.raises(ValueError, match=r'is refused: .* would call (posix|nt)\.system'):
        load_checkpoint(malicious)
    assert not payload.exists()
    with contextlib.suppress(RuntimeError):  # the plain pickle is no checkpoint, but runs
        torch.load(malicious, weights_only=False)
    assert payload.exists()  # it was no dud


@pytest.mark.parametrize('protocol', range(6))
def test_no_pickle_is_run(tmp_path, payload, protocol):
    (tmp_path / 'a.pth').write_bytes(pickle.dumps(RunsCode(payload), protocol=protocol))
    with pytest.raises(ValueError, match=r'is refused: .* would call (posix|nt)\.system'):
        load_checkpoint(tmp_path / 'a.pth')
    assert not payload.exists()


def test_torchscript_is_not_run(tmp_path):
    """torch.load hands such files to a loader that runs what they bring."""
    torch.jit.script(nn.ReLU()).save(tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'a.pth is refused: .* would call __torch__'):
        load_checkpoint(tmp_path / 'a.pth')


def test_a_process_that_forces_weights_only_reads_checkpoints_of_the_runner(tmp_path, monkeypatch):
    torch.save({'state_dict': {'a': torch.ones(2)}, 'hub': np.float64(3)}, tmp_path / 'a.pth')
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    assert load_checkpoint(tmp_path / 'a.pth')['state_dict']['a'].tolist() == [1, 1]


def test_threads_disturb_neither_each_other_nor_the_process(malicious, tmp_path, payload):
    """Reading leaves no setting of the process changed, at no moment."""
    weights = {'a': torch.randn(50, 50), 'b': torch.ones(3, dtype=torch.float16)}
    torch.save({'state_dict': weights, 'hub': np.ones(3)}, tmp_path / 'good.pth')
    seen, done = [], Event()

    def settings():
        return dict(os.environ), set(torch.serialization.get_safe_globals())

    def watch():
        while not done.is_set():
            seen.append(settings())

    def refused(_):
        with pytest.raises(ValueError, match='is refused'):
            load_checkpoint(malicious)

    def read(_):
        found = load_checkpoint(tmp_path / 'good.pth')['state_dict']
        return all(torch.equal(found[key], weights[key]) for key in weights)

    with torch.serialization.safe_globals([Attribute]), ThreadPoolExecutor(4) as pool:
        expected = settings()
        watching = pool.submit(watch)
        results = [pool.submit(job, i) for i in range(30) for job in (read, refused)]
        assert all(result.result() in (True, None) for result in results)
        done.set()
        watching.result()
    assert seen.count(expected) == len(seen) > 0
    assert not payload.exists()


def test_a_checkpoint_of_the_runner_is_read(tmp_path):
    """It brings message hub, numpy numbers and arrays."""
    _, runner = train_tiny(tmp_path, PonderCostHook())
    content = load_checkpoint(tmp_path / 'iter_4.pth')
    assert {'meta', 'message_hub', 'optimizer'} <= set(content)
    expected = runner.model.state_dict()
    assert all(torch.equal(content['state_dict'][key], expected[key]) for key in expected)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r'checkpoint must be a file, got .*nowhere.pth'):
        load_checkpoint(tmp_path / 'nowhere.pth')
    path = tmp_path / 'a.pth'
    path.write_text('hello')
    with pytest.raises(ValueError, match=r'a.pth cannot be read'):
        load_checkpoint(path)
    path.write_bytes(b'')
    with pytest.raises(ValueError, match=r'a.pth cannot be read'):
        load_checkpoint(path)
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match=r'must hold a dict, .*a.pth holds a list'):
        load_checkpoint(path)
    torch.save({'a': torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r'a.pth cannot be read'):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (
            {'state_dict': [torch.zeros(1)]},
            r'a.pth: its state_dict must be a dict of tensors, got a list',
        ),
        ({'state_dict': 'a'}, r'a.pth: its state_dict must be a dict of tensors, got a str'),
        ({'state_dict': {3: torch.zeros(1)}}, r'a.pth: its keys must be text, got 3'),
        ({(1, 2): torch.zeros(1)}, r'a.pth: its keys must be text, got \(1, 2\)'),
    ],
)
def test_what_is_no_state_dict_is_named(content, message):
    with pytest.raises(ValueError, match=message):
        state_dict_of(content, 'a.pth')


def test_wrappers_are_opened_where_they_are_named():
    """mmengine, which reads some of the files again, would not find the weights below another key."""
    content = {'model': {'a': 1}}
    assert state_dict_of(content, 'a.pth') == content
    assert state_dict_of(content, 'a.pth', 'state_dict', 'model') == {'a': 1}


def test_a_few_numbers_are_not_repeated_to_any_size(tmp_path):
    torch.save({'a': torch.ones(1).expand(10**15)}, tmp_path / 'a.pth')
    found = load_checkpoint(tmp_path / 'a.pth')
    assert flaws(found, {'a': torch.float32}) == ['a (more numbers than the file holds)']


def test_what_training_scripts_keep_beside_the_weights(tmp_path):
    """torchvision's and timm's scripts store their arguments."""
    args = Namespace(lr=0.1, output=Path('out'), started=datetime(2026, 1, 1))
    torch.save({'model': {'a': torch.ones(2)}, 'epoch': 3, 'args': args}, tmp_path / 'a.pth')
    content = load_checkpoint(tmp_path / 'a.pth')
    assert content['args'] is None
    assert torch.equal(content['model']['a'], torch.ones(2))


def test_a_small_file_that_unpacks_to_a_large_one_is_refused(tmp_path):
    torch.save({'a': torch.zeros(10**6)}, tmp_path / 'a.pth')
    with (
        zipfile.ZipFile(tmp_path / 'a.pth') as old,
        zipfile.ZipFile(tmp_path / 'b.pth', 'w', zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.namelist():
            new.writestr(member, old.read(member))
    with pytest.raises(
        ValueError, match=r'b\.pth cannot be read: .*\(it would unpack to 400\d{4} bytes'
    ):
        load_checkpoint(tmp_path / 'b.pth')
