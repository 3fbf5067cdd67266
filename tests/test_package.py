"""The command line that prints paths."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from iterbackbone import __version__
from iterbackbone.__main__ import config_names, config_path, config_root, main, make_parser, tool_path

NAME = 'detection/faster-rcnn_iterative-r50_fpn_1x_voc2007.py'


def run(*args, **options):
    command = [sys.executable, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


@pytest.mark.parametrize('name', [NAME, NAME[:-3], Path(NAME).stem])
def test_config_path(name):
    assert config_path(name) == config_root() / NAME
    assert config_path(name).is_file()


def test_bases_are_not_listed():
    assert NAME in config_names()
    assert not [name for name in config_names() if '_base_' in name]


def test_unknown_config_is_named():
    with pytest.raises(ValueError, match=r"config must be one that .* lists, got 'zzz'$"):
        config_path('zzz')


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['config', f'{NAME[:-3]}E'], f'did you mean {NAME[:-3]} or '),
        (['config', Path(NAME).stem.upper()], f'did you mean {NAME[:-3]} or '),
    ],
)
def test_nearest_names(args, message, capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['iterbackbone', *args])
    with pytest.raises(SystemExit, match='2'):
        main()
    assert re.search(message, capsys.readouterr().err)


def test_version(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['iterbackbone', '--version'])
    with pytest.raises(SystemExit, match='0'):
        main()
    assert capsys.readouterr().out == f'iterbackbone {__version__}\n'


def test_every_argument_has_a_help():
    (commands,) = (a.choices for a in make_parser()._actions if isinstance(a.choices, dict))
    assert {n: a.dest for n, c in commands.items() for a in c._actions if not a.help} == {}


def test_tool_path():
    assert tool_path('mmdet', 'train').read_text().count('Train a detector') == 1


@pytest.mark.parametrize(
    ('package', 'tool', 'message'),
    [
        ('mmdet', 'fly', "tool must be one that mmdet ships, got 'fly'"),
        ('no_such_package', 'train', "package must be installed, got 'no_such_package'"),
        ('no_such.package', 'train', "package must be installed, got 'no_such.package'"),
        ('.mmdet', 'train', r"package must be installed, got '\.mmdet'"),
    ],
)
def test_unknown_tool_is_named(package, tool, message):
    with pytest.raises(ValueError, match=message):
        tool_path(package, tool)


@pytest.mark.parametrize('unbuffered', ['', '1'])
def test_a_reader_that_leaves_ends_a_command(unbuffered):
    call = [sys.executable, '-m', 'iterbackbone', 'config']
    env = {**os.environ, 'PYTHONUNBUFFERED': unbuffered}
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        process.stdout.close()
        assert process.stderr.read() == b''
        assert process.wait() == 141


def test_command_line():
    assert run('-m', 'iterbackbone', 'config', Path(NAME).stem).stdout == f'{config_root() / NAME}\n'
    assert run('-m', 'iterbackbone', 'config').stdout.split() == config_names()
    assert run('-m', 'iterbackbone', 'tool', 'mmdet', 'test').stdout.endswith('/tools/test.py\n')
    wrong = run('-m', 'iterbackbone', 'config', 'resnet')
    assert wrong.returncode == 2
    assert "got 'resnet'" in wrong.stderr
