"""What the tool refuses before it reads anything."""

from __future__ import annotations

import importlib

import pytest


def test_out_is_no_folder(tmp_path, capsys):
    (tmp_path / 'fitted.pth').mkdir()
    tool = importlib.import_module('fit_halting')
    with pytest.raises(SystemExit, match='2'):
        tool.parse_args(['config.py', 'a.pth', '--out', str(tmp_path / 'fitted.pth')])
    wanted = f'argument --out: must be a .pth file in a folder that exists, got {tmp_path}/fitted.pth'
    assert wanted in capsys.readouterr().err
