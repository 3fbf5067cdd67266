"""Tables of the pages on fitted halting are those of the committed results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import experiments
from experiments.fitted_gain.tables import mean_cell, static_table, tables

ROOT = Path(experiments.__file__).parent
PAGES = ROOT.parent / 'docs/evidence'


def reports_of(*names):
    return [json.loads((ROOT / name).read_text()) for name in names]


@pytest.mark.parametrize(
    ('page', 'results', 'mean', 'left_out'),
    [
        ('mosaics.md', [f'mosaics/results/seed{i}.json' for i in range(3)], False, ()),
        (
            'mosaics.md',
            [f'mosaics/results/imagenette128_seed{i}.json' for i in range(3)],
            False,
            (2, 3),
        ),
        ('mosaics.md', ['mosaics/results/imagenette192_seed0.json'], False, (2, 3)),
        ('voc-cells.md', [f'voc_cells/results/seed{i}.json' for i in range(3)], True, ()),
        # static budgets stand beside those of other trainings, rules are told of in words
        ('voc-cells.md', [f'voc_cells/results/distilled/seed{i}.json' for i in range(3)], True, (0, 2)),
    ],
)
def test_pages_have_the_tables(page, results, mean, left_out):
    text = (PAGES / page).read_text()
    for place, table in enumerate(tables(reports_of(*results), mean)):
        assert (table in text) == (place not in left_out), table


def test_seeds_may_have_run_other_budgets():
    def report(*depths):
        menu = [
            {'depths': [d], 'share': d / 4, 'score': d / 10, 'by_size': {'8': d / 20}} for d in depths
        ]
        return {'menu': menu}

    assert static_table([report(1, 4), report(1, 2, 4)]).splitlines()[2:] == [
        '| 1 | 0.250 | 10.0 | 10.0 | 5.0 |',
        '| 2 | 0.500 |  | 20.0 |  |',
        '| 4 | 1.000 | 40.0 | 40.0 | 20.0 |',
    ]


def test_mean_of_independent_seeds():
    rows = [dict(G=0.5, low=0.2, high=0.8), dict(G=0.1, low=-0.3, high=0.5)]  # halves 0.3 and 0.4
    assert mean_cell(rows) == '+0.30 [+0.05, +0.55]'
