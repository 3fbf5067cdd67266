"""A filled-in table as Markdown and as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from prettytable import PrettyTable, TableStyle

from .columns import Cell, Column, columns
from .measurement import BASELINE, Measured

LEGEND = (
    'Plain: counted, measured or evaluated here.',
    "[In brackets]: stated in the paper's text, which does not contain the bodies of its tables.",
    '-: missing, neither measured nor stated. Empty: all images cost the same.',
    "One multiply-add is 1 MAC; the classifier's count, too.",
    'Accuracies and the mean MACs of iterative networks come from given logs alone.',
)


def markdown(measured: Measured) -> str:
    """Title, table, legend and notes."""
    table = measured.table
    lines = [f'### {table.title}', '', _grid(measured), '']
    lines += [f'- {line}' for line in (*LEGEND, _timing(measured))]
    lines += [f'- Evaluation of {name}: {folder}' for name, folder in measured.logs.items()]
    lines += [f'- {note}' for note in table.notes]
    return '\n'.join(lines) + '\n'


def plain_data(measured: Measured) -> dict[str, Any]:
    """JSON-ready: the cells of each row; counts are plain numbers, times shares."""
    table = measured.table
    rows = [
        {
            'part': part,
            'name': row.name,
            'image_size': list(table.size(row)),
            'available': row.model is not None,
            'log': str(measured.logs[row.name]) if row.name in measured.logs else None,
            'cells': {key: asdict(cell) for key, cell in measured.cells[row.name].items()},
        }
        for part, rows in table.parts.items()
        for row in rows
    ]
    return {
        'title': table.title,
        'timing': {
            'rounds': measured.rounds,
            'baseline': BASELINE,
            'seconds': measured.baseline_seconds,
        },
        'rows': rows,
        'notes': list(table.notes),
    }


def _grid(measured: Measured) -> str:
    shown = columns(measured.table)
    grid = PrettyTable(['network', *(column.heading for column in shown.values())], align='r')
    grid.align['network'] = 'l'
    grid.set_style(TableStyle.MARKDOWN)
    for part, rows in measured.table.parts.items():
        grid.add_row([f'**{part}**', *[''] * len(shown)])
        for row in rows:
            missing = '' if row.model else ': in neither torchvision nor mmpretrain'
            grid.add_row([row.name + missing, *_texts(measured, row.name, shown)])
    return grid.get_string()


def _texts(measured: Measured, name: str, shown: dict[str, Column]) -> Iterator[str]:
    cells = measured.cells[name]
    for key, column in shown.items():
        untimed = key.startswith('time') and not measured.rounds
        yield _text(cells[key], column, 'not measured' if untimed else '-') if key in cells else ''


def _text(cell: Cell, column: Column, missing: str) -> str:
    """Such as ``9.33 [9]`` or, of a time, ``41 (40-43)``."""
    number = f'{{:.{column.decimals}f}}'.format
    parts = [missing] if cell.measured is None else [number(cell.measured / column.unit)]
    if cell.quartiles:
        parts.append('({}-{})'.format(*(number(q / column.unit) for q in cell.quartiles)))
    if cell.paper:
        parts.append(f'[{cell.paper}]')
    return ' '.join(parts)


def _timing(measured: Measured) -> str:
    if measured.rounds is None or measured.baseline_seconds is None:
        return 'Forward time: not measured, no --time.'
    return (
        f'Forward time on one core, one image, as a share of {BASELINE} in the same round '
        f'({measured.baseline_seconds:.3f} s): median (quartiles) of {measured.rounds} rounds. The '
        'mean runs the iterations of the logged images, one after the other.'
    )
