"""Mean and range over the seeds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import experiments
from experiments.block_start import summarise

ROOT = Path(experiments.__file__).parent
PAGE = ROOT.parent / 'docs/evidence/block-start.md'


def test_a_cell():
    rows = [dict(correct=c, images=200, macs=30, macs_full=60) for c in (100, 110, 120)]
    assert summarise.cell(rows) == '55.0 (50.0-60.0) at 0.50'
    assert summarise.cell([dict(correct=1, images=4)]) == '25.0'


@pytest.mark.parametrize('folder', ['results', 'results/tiny_imagenet', 'results/five_epochs'])
def test_the_page_has_the_rows(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['summarise.py', str(ROOT / 'block_start' / folder)])
    summarise.main()
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) > 4
    assert set(rows) <= set(PAGE.read_text().splitlines())
