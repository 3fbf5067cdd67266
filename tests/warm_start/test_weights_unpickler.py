"""What a file can reach while it is read: stand-ins only, which change nothing."""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from importlib import import_module

import numpy as np
import pytest
import torch

from iterbackbone.warm_start.safe_loading import load_checkpoint
from tests.support.resnets import Attribute


def test_attributes_are_not_handed_out(tmp_path):
    """Not even where the process allows it, as mmengine does while it reads a checkpoint."""
    torch.save({'a': Attribute()}, tmp_path / 'a.pth')
    with torch.serialization.safe_globals([getattr]):
        assert torch.load(tmp_path / 'a.pth')['a'] is torch.Tensor.__init__  # it was no dud
        assert load_checkpoint(tmp_path / 'a.pth') == {'a': None}


@pytest.mark.parametrize('name', ['collections OrderedDict', 'torch._utils _rebuild_tensor_v2'])
def test_nothing_of_the_process_is_changed(tmp_path, name):
    """BUILD with a second state sets attributes of whatever a name leads to."""
    module, function = name.split()
    build = f'c{module}\n{function}\n(N}}(X\x07\0\0\0harmfulK\x01utb.'.encode('latin1')
    with zipfile.ZipFile(tmp_path / 'a.pth', 'w') as archive:
        archive.writestr('a/data.pkl', b'\x80\x02' + build)
        archive.writestr('a/version', '3')
    with pytest.raises(ValueError, match=r'a.pth cannot be read'):
        load_checkpoint(tmp_path / 'a.pth')
    assert not hasattr(getattr(import_module(module), function), 'harmful')


def test_what_is_read_holds_no_stand_ins(tmp_path):
    """So that it can be saved again, for others to read."""
    meta = OrderedDict(classes=('a', 'b'), palette=np.zeros((2, 3)), more=[OrderedDict(), {1, 2}, 0.5])
    torch.save({'meta': meta, 'type': torch.float32}, tmp_path / 'a.pth')
    content = load_checkpoint(tmp_path / 'a.pth')
    meta = {'classes': ('a', 'b'), 'palette': None, 'more': [{}, None, 0.5]}
    assert content == {'meta': meta, 'type': None}
    torch.save(content, tmp_path / 'b.pth')
    assert torch.load(tmp_path / 'b.pth', weights_only=True) == content
    loop = []
    loop.append(loop)
    torch.save({'a': loop}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'cannot be read \(RecursionError'):
        load_checkpoint(tmp_path / 'a.pth')


def test_what_a_file_repeats_by_reference_is_looked_at_once(tmp_path):
    levels = []
    for _ in range(100):
        levels = [levels, levels]
    torch.save({'state_dict': {'a': torch.ones(1)}, 'meta': levels}, tmp_path / 'a.pth')
    assert load_checkpoint(tmp_path / 'a.pth')['state_dict']['a'] == 1  # 2**100 parts


class Brings:
    """A dict with an attribute of its own."""

    def __reduce__(self):
        return OrderedDict, (), {'items': 3}


def test_a_dict_cannot_bring_its_own_items(tmp_path):
    torch.save({'state_dict': Brings()}, tmp_path / 'a.pth')
    assert load_checkpoint(tmp_path / 'a.pth') == {'state_dict': {}}
