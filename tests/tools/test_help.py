"""What the tools' options are said to be."""

from __future__ import annotations

import runpy
import sys

import pytest

from iterbackbone.__main__ import tool_path


@pytest.mark.parametrize('name', ['analyze_iterations', 'measure_gain', 'quickstart'])
def test_no_default_is_said_where_there_is_none(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [name, '--help'])
    with pytest.raises(SystemExit, match='0'):
        runpy.run_path(str(tool_path('iterbackbone', name)), run_name='__main__')
    shown = capsys.readouterr().out
    assert 'default: ' in shown
    assert 'None' not in shown
    assert '[])' not in shown
