"""Wrong arguments and inputs end in one line that names them."""

from __future__ import annotations

import argparse

import pytest

from iterbackbone.cli.arguments import folder, new_file, one_line, positive


@pytest.mark.parametrize(
    ('kind', 'text', 'message'),
    [
        (positive, '0', 'must be at least 1, got 0'),
        (folder, 'nowhere', 'must be a folder, got nowhere'),
        (new_file, 'nowhere/a.json', 'must be in a folder that exists, got nowhere/a.json'),
    ],
)
def test_kinds(kind, text, message, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument('--it', type=kind)
    with pytest.raises(SystemExit, match='2'):
        parser.parse_args(['--it', text])
    assert capsys.readouterr().err.endswith(f'argument --it: {message}\n')


def test_errors_are_printable_and_others_pass(capsys):
    parser = argparse.ArgumentParser(prog='tool')
    with pytest.raises(SystemExit, match='2'), one_line(parser, '--out'):
        raise OSError('no\nroom\x1b')
    assert capsys.readouterr().err.splitlines()[-1] == 'tool: error: argument --out: no room?'
    with pytest.raises(TypeError), one_line(parser):
        raise TypeError
    with pytest.raises(SystemExit), one_line(parser, '', TypeError):
        raise TypeError
