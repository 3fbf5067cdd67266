"""An output that cannot be written is refused at once, by the name that the user gave it."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from iterbackbone.__main__ import main

OURS = 'fcos_iterative-r50-w32_fpn_anytime_voc2007-320'


@pytest.mark.parametrize(
    ('command', 'path'),
    [
        (['new', '/proc/mine', '--base', OURS], '/proc/mine.py'),
        (['new', '/proc/mine', '--data', '.'], '/proc/mine.py'),
        (['demo', 'a.png', '--out', '/proc'], '/proc'),
        (['budget', OURS, 'no.pth', '--out', '/proc/budget.png'], '/proc/budget.png'),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else '',
)
def test_it_is_named(command, path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite('a.png', np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr(sys, 'argv', ['iterbackbone', *command])
    with pytest.raises(SystemExit, match='2'):
        main()
    wanted = f'iterbackbone {command[0]}: error: [Errno 2] No such file or directory: {path!r}'
    assert capsys.readouterr().err.splitlines() == [wanted]
