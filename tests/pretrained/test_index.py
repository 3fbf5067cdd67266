"""The files behind the index: whole, or a clear error."""

from __future__ import annotations

import json

import pytest
import torch

from iterbackbone.pretrained.index import FOLDER_VARIABLE, SHIPPED, find_weights, read_index
from tests.support.pretrained import pack

NAME = 'tiny_net.toy'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    pack(tmp_path)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def test_what_is_shipped_is_whole():
    """Every entry has its file and card, within the limit; no file is without an entry."""
    known = read_index(SHIPPED)
    for weights in known.values():
        state = weights.read()
        assert all(x.isfinite().all() for x in state.values())
        assert weights.path.stat().st_size == weights.bytes <= 10_000_000
        assert weights.name in (SHIPPED / f'{weights.name}.md').read_text()
    files = {path.name for path in SHIPPED.iterdir() if path.suffix in ('.safetensors', '.md')}
    assert files == {f'{name}{suffix}' for name in known for suffix in ('.safetensors', '.md')}


def test_kernels_are_read_in_float32(folder):
    state = find_weights(NAME).read()
    assert {x.dtype for x in state.values()} == {torch.float32, torch.int64}


def test_a_changed_file_is_damaged(folder):
    path = find_weights(NAME).path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'tiny_net.toy are damaged: .* must have the SHA-256'):
        find_weights(NAME).read()


def test_a_cut_file_is_damaged(folder):
    path = find_weights(NAME).path
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match='damaged'):
        find_weights(NAME).read()


def test_a_missing_file_is_named(folder):
    find_weights(NAME).path.unlink()
    with pytest.raises(ValueError, match=r'tiny_net.toy cannot be read: .*No such file.*safetensors'):
        find_weights(NAME).read()


@pytest.mark.parametrize('text', ['', '[]', '{"a.b": 1}', '{"a.b": {"sha256": "0"}}', None])
def test_a_broken_index_is_named(folder, text):
    if text is None:
        (folder / 'index.json').unlink()
    else:
        (folder / 'index.json').write_text(text)
    with pytest.raises(ValueError, match=r'index of weights .*index\.json cannot be read'):
        find_weights(NAME)


def test_a_networks_first_weights_are_its_own(folder):
    entries = json.loads((folder / 'index.json').read_text())
    entries = {NAME: entries[NAME], 'tiny_net.other': entries[NAME]}
    (folder / 'index.json').write_text(json.dumps(entries))
    assert find_weights('tiny_net').name == NAME
