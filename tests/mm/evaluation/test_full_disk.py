"""A disk that is full: what was good stays, and the error names the file.

Every write to /dev/full fails as on a full disk.
"""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest

from iterbackbone.files import whole_file, write_together
from iterbackbone.log.png_files import PngFiles
from iterbackbone.mm.evaluation.folder import EvaluationFolder

FILES = ['meta.json', 'predictions.jsonl', 'records.jsonl']


def full(path):
    path.parent.mkdir(exist_ok=True)
    path.symlink_to('/dev/full')
    name = path.name.removesuffix('.part')
    return pytest.raises(OSError, match=rf"No space left on device: '.*{name}'")


def evaluated(path, image):
    folder = EvaluationFolder(path)
    folder.write({'img_id': image}, {'img_id': image})
    return folder


def test_whole_file(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('good')
    with full(tmp_path / 'a.json.part') as caught, whole_file(path) as file:
        file.write(b'new')
    assert caught.value.errno == errno.ENOSPC
    assert [p.name for p in tmp_path.iterdir()] == ['a.json']
    assert path.read_text() == 'good'
    absent = pytest.raises(OSError, match=r"No such file or directory: '/proc/a\.json'$")
    with absent, whole_file(Path('/proc/a.json')) as file:
        file.write(b'new')


@pytest.mark.parametrize('name', ['a', 'b', 'c'])
def test_files_that_belong_together(tmp_path, name):
    """All are new, or all are as they were."""
    write_together(tmp_path, dict.fromkeys('abc', b'old'))
    with full(tmp_path / f'{name}.part'):
        write_together(tmp_path, dict.fromkeys('abc', b'new'))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == dict.fromkeys('abc', b'old')
    (tmp_path / 'c').unlink()
    (tmp_path / 'c').mkdir()
    with pytest.raises(OSError, match=f"must be a regular file: '{tmp_path}/c'"):
        write_together(tmp_path, dict.fromkeys('abc', b'new'))
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a', 'b', 'c']
    assert (tmp_path / 'a').read_bytes() == b'old'


def test_a_kill_leaves_no_old_report_beside_new_numbers(tmp_path, monkeypatch):
    write_together(tmp_path, dict.fromkeys('abc', b'old'))
    replace, done = os.replace, []

    def killed(part, path):
        if done:
            raise KeyboardInterrupt
        done.append(path)
        replace(part, path)

    monkeypatch.setattr('os.replace', killed)
    with pytest.raises(KeyboardInterrupt):
        write_together(tmp_path, dict.fromkeys('abc', b'new'))
    assert (tmp_path / 'a').read_bytes() == b'new'
    assert not (tmp_path / 'c').exists()


class Full(io.FileIO):
    """As a file of a full disk: the error does not know its name."""

    def write(self, content):
        raise OSError(errno.ENOSPC, 'No space left on device')


@pytest.mark.parametrize('name', ['records.jsonl', 'predictions.jsonl'])
def test_while_an_image_is_logged(tmp_path, monkeypatch, name):
    opened = lambda path, *_, **__: (Full if path.name.startswith(name) else io.FileIO)(path, 'w')  # noqa: E731
    monkeypatch.setattr('builtins.open', opened)
    with pytest.raises(OSError, match=rf"No space left on device: '.*{name}\.0\.part'"):
        evaluated(tmp_path / 'log', 2)
    assert [p.name for p in tmp_path.iterdir()] == ['log.part']


@pytest.mark.parametrize('name', FILES)
def test_while_the_log_is_completed(tmp_path, name):
    """The earlier evaluation stays, and the new one's parts."""
    evaluated(tmp_path / 'log', 1).publish({'epoch': 1})
    folder = evaluated(tmp_path / 'log', 2)
    with full(folder.path / f'{name}.part'):
        folder.publish({'epoch': 2})
    assert sorted(p.name for p in tmp_path.iterdir()) == ['log', 'log.part']
    assert {'predictions.jsonl.0.part', 'records.jsonl.0.part'} <= {
        p.name for p in folder.path.iterdir()
    }
    assert json.loads((tmp_path / 'log/meta.json').read_text()) == {'epoch': 1}
    for lines in ('records.jsonl', 'predictions.jsonl'):
        assert json.loads((tmp_path / 'log' / lines).read_text()) == {'img_id': 1}


def test_while_a_label_map_is_written(tmp_path):
    with full(tmp_path / 'predictions/000000_a.png'):
        PngFiles(tmp_path).write(0, 'a', {'predicted_map': np.zeros((2, 3), np.uint8)})


class NearlyFull(io.FileIO):
    """Takes at most ten bytes at a time, as a system may, and says so."""

    def write(self, content):
        return super().write(bytes(content)[:10])


def test_a_line_that_is_taken_in_parts_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr('builtins.open', lambda path, *_, **__: NearlyFull(path, 'w'))
    folder = evaluated(tmp_path / 'log', 'a name of more than ten letters')
    monkeypatch.undo()
    folder.publish({})
    line = json.loads((tmp_path / 'log/records.jsonl').read_text())
    assert line == {'img_id': 'a name of more than ten letters'}
