"""A file that is whole or not there, wherever its name leads."""

from __future__ import annotations

import os

import pytest

from iterbackbone.files import whole_file


def write(path, content=b'new'):
    with whole_file(path) as file:
        file.write(content)


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / 'target', tmp_path / 'link'
    target.write_bytes(b'old')
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == b'new'
    assert sorted(os.listdir(tmp_path)) == ['link', 'target']


def test_permissions_stay(tmp_path):
    path = tmp_path / 'secret'
    write(path)
    path.chmod(0o600)
    write(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_neither_devices_nor_folders_are_replaced(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(OSError, match='must be a regular file'):
        write(tmp_path / 'pipe')
    assert (tmp_path / 'pipe').is_fifo()
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        write(tmp_path)
