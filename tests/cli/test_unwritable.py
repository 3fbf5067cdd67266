"""An output that cannot be written is refused at once, by the name that the user gave it."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from iterbackbone.__main__ import main

FILE = 'must be a file in a folder that can be written to'
FOLDER = 'must be a folder, or one that can be made'
OURS = 'fcos_iterative-r50-w32_fpn_anytime_voc2007-320'


@pytest.mark.parametrize(
    ('command', 'message'),
    [
        (['new', '/proc/mine', '--base', OURS], f"NAME: {FILE}, got '/proc/mine.py'"),
        (['new', '/proc/mine', '--data', '.'], f"NAME: {FILE}, got '/proc/mine.py'"),
        (['demo', 'a.png', '--out', '/proc'], f"--out: {FOLDER}, got '/proc'"),
        (['demo', 'a.png', '--out', '/proc/x/y'], f"--out: {FOLDER}, got '/proc/x/y'"),
        (['budget', OURS, 'no.pth', '--out', '/proc/b.png'], f"--out: {FOLDER}, got '/proc'"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else '',
)
def test_it_is_named(command, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite('a.png', np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr(sys, 'argv', ['iterbackbone', *command])
    with pytest.raises(SystemExit, match='2'):
        main()
    wanted = f'iterbackbone {command[0]}: error: argument {message}'
    assert capsys.readouterr().err.splitlines()[-1] == wanted


@pytest.mark.parametrize(
    'command',
    [
        ['demo', 'a.png', '--config', OURS, '--checkpoint', 'no.pth', '--out', 'new/out'],
        ['budget', OURS, 'no.pth', '--out', 'new/out/b.png'],
    ],
    ids=lambda value: value[0],
)
def test_a_model_that_is_refused_leaves_no_folder(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite('a.png', np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr(sys, 'argv', ['iterbackbone', *command])
    with pytest.raises(SystemExit, match='2'):
        main()
    assert 'checkpoint must be a file, got no.pth' in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['a.png']
