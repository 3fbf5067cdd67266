"""A report in the folder of an earlier one, of other people's files, and on a full disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iterbackbone.report.analysis import MANIFEST, analyze, earlier_files, manifest
from iterbackbone.report.evaluation import load_evaluations
from tests.support.logs import correlated, write_images, write_log


@pytest.mark.usefixtures('undrawn')
def test_a_report_removes_only_what_a_report_wrote(tmp_path):
    folders = [write_log(tmp_path / name, correlated(6)) for name in 'ab']
    write_images(tmp_path, correlated(6))
    out = tmp_path / 'out'
    analyze(load_evaluations(folders, ['a', 'b']), out, tmp_path, 0.3)
    assert (out / '1_a_hardest.png').exists()
    others = ('gain.json', 'gain.png', '7_mine_hardest.png')
    for name in others:
        (out / name).write_text('by hand')
    analyze(load_evaluations(folders[:1]), out, tmp_path, 0.3)
    assert not (out / '1_a_hardest.png').exists()
    assert {(out / name).read_text() for name in others} == {'by hand'}


def test_a_file_that_changed_since_is_nobodys(tmp_path):
    contents = {'gain.json': b'{}', 'gain.png': b'', '../outside.txt': b'1'}
    (tmp_path / 'out').mkdir()
    for name, content in contents.items():
        (tmp_path / 'out' / name).write_bytes(content)
    (tmp_path / 'out' / MANIFEST).write_bytes(manifest(contents))
    found = earlier_files(tmp_path / 'out')
    assert sorted(path.name for path in found) == ['gain.json', 'gain.png']
    (tmp_path / 'out' / 'gain.json').write_text('{"measured": "again"}')
    assert [path.name for path in earlier_files(tmp_path / 'out')] == ['gain.png']


@pytest.mark.parametrize('text', [None, '', '[]', json.dumps({'gain.png': 1})])
def test_without_a_manifest_nothing_is_known(tmp_path, text):
    (tmp_path / 'gain.png').write_bytes(b'')
    if text is not None:
        (tmp_path / MANIFEST).write_text(text)
    assert earlier_files(tmp_path) == []


@pytest.mark.parametrize('content', [b'{"\xff": "a"}', b'{"a":' + 100_000 * b'['])
def test_a_manifest_that_is_something_else_names_no_file(content, tmp_path):
    (tmp_path / MANIFEST).write_bytes(content)
    assert earlier_files(tmp_path) == []


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.usefixtures('undrawn')
@pytest.mark.parametrize('name', ['summary.md.part', 'report.html.part'])
def test_an_old_report_stays_whole(tmp_path, name):
    out = tmp_path / 'out'
    for number in (12, 15):
        write_log(tmp_path / str(number), correlated(number))
    old, new = (load_evaluations([tmp_path / str(number)], None) for number in (12, 15))
    analyze(old, out, [Path()], 0.3)
    before = contents(out)
    (out / name).symlink_to('/dev/full')
    with pytest.raises(OSError, match='No space left on device'):
        analyze(new, out, [Path()], 0.3)
    assert contents(out) == before
