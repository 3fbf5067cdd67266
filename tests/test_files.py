"""Files that are whole or not there, wherever their names lead; files in linked folders."""

from __future__ import annotations

import os

import pytest

from iterbackbone.files import files_below, same_place, whole_file, write_together


def write_one(path):
    with whole_file(path) as file:
        file.write(b'new')


def write_two(path):
    write_together(path.parent, {'other': b'other', path.name: b'new'})


@pytest.fixture(params=[write_one, write_two])
def write(request):
    return request.param


def test_a_link_stays_a_link(tmp_path, write):
    target, link = tmp_path / 'target', tmp_path / 'link'
    target.write_bytes(b'old')
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == b'new'
    assert set(os.listdir(tmp_path)) - {'other'} == {'link', 'target'}


def test_links_in_a_circle_become_a_file(tmp_path, write):
    link, other = tmp_path / 'link', tmp_path / 'back'
    link.symlink_to(other)
    other.symlink_to(link)
    write(link)
    assert link.read_bytes() == b'new'
    assert not list(tmp_path.glob('*.part'))


def test_one_place_by_two_paths(tmp_path):
    (tmp_path / 'link').symlink_to(tmp_path / 'a')
    (tmp_path / 'x').symlink_to(tmp_path / 'y')
    (tmp_path / 'y').symlink_to(tmp_path / 'x')
    assert same_place(tmp_path / 'link', tmp_path / 'b/../a')
    assert not same_place(tmp_path / 'x', tmp_path / 'a')


def test_permissions_stay(tmp_path, write):
    path = tmp_path / 'secret'
    write(path)
    path.chmod(0o600)
    write(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_neither_devices_nor_folders_are_replaced(tmp_path, write):
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(OSError, match='must be a regular file'):
        write(tmp_path / 'pipe')
    assert (tmp_path / 'pipe').is_fifo()
    (tmp_path / 'folder').mkdir()
    with pytest.raises(OSError, match='must be a regular file'):
        write(tmp_path / 'folder')


def test_linked_folders_are_read_but_in_no_circle(tmp_path):
    for name in ('data/here/a.PNG', 'disk/b.png', 'data/c.txt'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'data/linked').symlink_to(tmp_path / 'disk')
    (tmp_path / 'data/here/up').symlink_to(tmp_path / 'data')
    (tmp_path / 'data/nowhere').symlink_to(tmp_path / 'data/nowhere')
    names = ['data/here/a.PNG', 'data/linked/b.png']
    assert files_below(tmp_path / 'data', '.png') == [tmp_path / name for name in names]
