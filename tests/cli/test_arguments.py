"""Wrong arguments and inputs end in one line that names them."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from iterbackbone.cli.arguments import check_out, folder, new_file, new_folder, one_line, positive

LONG = 300 * 'a'  # longer than a file system takes


@pytest.mark.parametrize(
    ('kind', 'text', 'message'),
    [
        (positive, '0', 'must be at least 1, got 0'),
        (folder, LONG, f'must be a folder, got {LONG}'),
        (
            new_file,
            f'{LONG}/a',
            f'must be a file in a folder that can be written to, got {LONG + "/a"!r}',
        ),
        (folder, 'nowhere', 'must be a folder, got nowhere'),
        (
            new_file,
            'nowhere/a.json',
            "must be a file in a folder that can be written to, got 'nowhere/a.json'",
        ),
        (new_file, '', "must be a file in a folder that can be written to, got ''"),
        (new_file, '/proc/a', "must be a file in a folder that can be written to, got '/proc/a'"),
        (new_folder, '', "must be a folder, or one that can be made, got ''"),
        (new_folder, '/proc/a', "must be a folder, or one that can be made, got '/proc/a'"),
        (new_folder, __file__, f'must be a folder, or one that can be made, got {__file__!r}'),
        (
            new_folder,
            f'{__file__}/a',
            f'must be a folder, or one that can be made, got {__file__ + "/a"!r}',
        ),
    ],
)
def test_kinds(kind, text, message, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument('--it', type=kind)
    with pytest.raises(SystemExit, match='2'):
        parser.parse_args(['--it', text])
    assert capsys.readouterr().err.endswith(f'argument --it: {message}\n')


def test_a_folder_to_come(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'gone').symlink_to('nowhere')
    (tmp_path / 'file').symlink_to('/proc')  # of no account for its neighbours
    with pytest.raises(argparse.ArgumentTypeError, match="one that can be made, got 'gone'"):
        new_folder('gone')
    for text in ('a/b', '.', str(tmp_path), LONG):
        assert str(new_folder(text)) == text


def test_an_input_is_not_written_over(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    check_out(parser, Path('a'), FILE='b', CONFIG=Path('c'))
    with pytest.raises(SystemExit, match='2'):
        check_out(parser, Path('b/../a'), FILE='b', CONFIG=tmp_path / 'a')
    message = 'error: argument --out: must be another file than CONFIG, got b/../a\n'
    assert capsys.readouterr().err.endswith(message)


def test_errors_are_printable_and_others_pass(capsys):
    parser = argparse.ArgumentParser(prog='tool')
    with pytest.raises(SystemExit, match='2'), one_line(parser, '--out'):
        raise OSError('no\nroom\x1b')
    assert capsys.readouterr().err.splitlines()[-1] == 'tool: error: argument --out: no room?'
    with pytest.raises(TypeError), one_line(parser):
        raise TypeError
    with pytest.raises(SystemExit), one_line(parser, '', TypeError):
        raise TypeError
