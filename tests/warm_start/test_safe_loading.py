"""Checkpoints are read as weights only; one that wants to run code is refused."""

from __future__ import annotations

import contextlib
import os
import pickle

import pytest
import torch
from mmengine.runner import checkpoint
from support import train_tiny
from support_resnets import RunsCode

from iterbackbone.mm import PonderCostHook
from iterbackbone.mm.weights_only_loading import openmmlab_weights_only
from iterbackbone.warm_start.safe_loading import FORCE, load_checkpoint, weights_only


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


def test_a_newer_pickle_is_not_run_either(tmp_path, payload):
    (tmp_path / 'a.pth').write_bytes(pickle.dumps(RunsCode(payload), protocol=4))
    with pytest.raises(ValueError, match='cannot be read: it is no file of weights'):
        load_checkpoint(tmp_path / 'a.pth')
    assert not payload.exists()


def test_everything_within_reads_weights_only(malicious, payload):
    with pytest.raises(ValueError, match='some name is refused'), weights_only('some name'):
        torch.load(malicious, weights_only=False)
    assert not payload.exists()
    assert FORCE not in os.environ


def test_the_environment_is_put_back(monkeypatch):
    monkeypatch.setenv(FORCE, '0')
    with weights_only('a'):
        assert os.environ[FORCE] == '1'
    assert os.environ[FORCE] == '0'


class Attribute:
    """Reaches for an attribute of what is allowed, as a HistoryBuffer in a checkpoint does."""

    def __reduce__(self):
        return getattr, (torch.Tensor, '__init__')


def test_attributes_are_not_handed_out(tmp_path):
    torch.save({'a': Attribute()}, tmp_path / 'a.pth')
    assert load_checkpoint(tmp_path / 'a.pth') == {'a': None}


def test_what_the_process_allows_elsewhere_is_not_allowed():
    """Of two types by one name torch takes either."""
    with torch.serialization.safe_globals([getattr]):
        allowed = set(torch.serialization.get_safe_globals())
        with weights_only('a'):
            assert getattr not in torch.serialization.get_safe_globals()
        assert getattr in allowed
        assert set(torch.serialization.get_safe_globals()) == allowed


def test_mmengine_allows_nothing_more(tmp_path):
    torch.save({'a': Attribute()}, tmp_path / 'a.pth')
    allowed = []
    with openmmlab_weights_only('a'):
        allowed += checkpoint.get_torch_safe_globals()
        content = checkpoint.CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))
    assert content == {'a': None}
    assert allowed == []
    assert getattr in checkpoint.get_torch_safe_globals()


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
