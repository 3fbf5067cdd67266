"""The figures of shipped weights are the same in the index, on their cards and in the guide."""

from __future__ import annotations

import pytest

from iterbackbone.pretrained.index import SHIPPED, read_index

from .blocks import ROOT

WEIGHTS = read_index(SHIPPED)


@pytest.mark.parametrize('name', WEIGHTS)
def test_figures_agree(name):
    figures = WEIGHTS[name].figures
    card = (SHIPPED / f'{name}.md').read_text()
    assert [what for what in figures if f'| {what} | {figures[what]} |' not in card] == []
    guide = (ROOT / 'docs/pretrained.md').read_text()
    (row,) = (line for line in guide.splitlines() if line.startswith(f'| `{name}`'))
    assert f' {next(iter(figures.values())).split()[0]}%' in row
