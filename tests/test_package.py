"""The command line that prints paths."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from iterbackbone.__main__ import config_names, config_path, config_root, tool_path

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
    with pytest.raises(ValueError, match=r"config must be one of \[.*\], got 'resnet'"):
        config_path('resnet')


def test_tool_path():
    assert tool_path('mmdet', 'train').read_text().count('Train a detector') == 1


@pytest.mark.parametrize(
    ('package', 'tool', 'message'),
    [
        ('mmdet', 'fly', "tool must be one that mmdet ships, got 'fly'"),
        ('no_such_package', 'train', "package must be installed, got 'no_such_package'"),
    ],
)
def test_unknown_tool_is_named(package, tool, message):
    with pytest.raises(ValueError, match=message):
        tool_path(package, tool)


def test_command_line():
    assert run('-m', 'iterbackbone', 'config', Path(NAME).stem).stdout == f'{config_root() / NAME}\n'
    assert run('-m', 'iterbackbone', 'config').stdout.split() == config_names()
    assert run('-m', 'iterbackbone', 'tool', 'mmdet', 'test').stdout.endswith('/tools/test.py\n')
    wrong = run('-m', 'iterbackbone', 'config', 'resnet')
    assert wrong.returncode == 2
    assert "got 'resnet'" in wrong.stderr
