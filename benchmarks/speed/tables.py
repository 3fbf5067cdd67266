"""Measured ratios as a table, as JSON and as a plot of time share against MAC share."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib.pyplot as plt
from speed.forward_runs import Ratio

from iterbackbone.files import whole_file
from iterbackbone.timing import machine


@dataclass(frozen=True)
class Row:
    """One network in one setting, beside its baseline.

    Attributes:
        setting: Input, threads, type.
        network: What ran.
        seconds: Median.
        ratio: Of its time to the baseline's, paired by round.
        macs: Share of the baseline's MACs; None where they are not the point.
    """

    setting: str
    network: str
    seconds: float
    ratio: Ratio
    macs: float | None


def rows_of(
    setting: str,
    seconds: Mapping[str, Sequence[float]],
    baseline: str,
    shares: Mapping[str, float],
) -> list[Row]:
    """Of all networks that were timed in the same rounds.

    Args:
        setting: Input, threads, type.
        seconds: Of each round, by network.
        baseline: The network whose time is the unit.
        shares: Of the baseline's MACs, by network.
    """
    unit = seconds[baseline]
    return [
        Row(setting, name, statistics.median(each), Ratio.of(each, unit), shares.get(name))
        for name, each in seconds.items()
    ]


def markdown(rows: Iterable[Row]) -> str:
    """A table; quartiles over the rounds in brackets."""
    names = ('setting', 'network', 's', 'time share', 'MAC share', 'time / MACs')
    return '\n'.join([_line(names), _line('---' for _ in names), *map(_line, map(_cells, rows))])


def _cells(row: Row) -> list[str]:
    r = row.ratio
    time = f'{r.median:.3f} [{r.lower:.3f}, {r.upper:.3f}]'
    macs = ['', ''] if row.macs is None else [f'{row.macs:.3f}', f'{r.median / row.macs:.2f}']
    return [row.setting, row.network, f'{row.seconds:.3f}', time, *macs]


def _line(cells: Iterable[str]) -> str:
    return f'| {" | ".join(cells)} |'


def save(rows: list[Row], out: Path) -> None:
    """OUT.md, OUT.json and, where MACs are given, OUT.png."""
    out.parent.mkdir(parents=True, exist_ok=True)
    content = {'machine': machine(), 'rows': [asdict(r) | {'ratio': r.ratio._asdict()} for r in rows]}
    texts = {'.md': f'{machine()}\n\n{markdown(rows)}\n', '.json': json.dumps(content, indent=1)}
    for suffix, text in texts.items():
        with whole_file(out.with_suffix(suffix)) as file:
            file.write(text.encode())
    if points := [r for r in rows if r.macs is not None]:
        plot(points, out.with_suffix('.png'))


def plot(rows: list[Row], path: Path) -> None:
    """Time share against MAC share, with the diagonal on which time follows MACs."""
    figure, axes = plt.subplots(figsize=(6, 5), layout='constrained')
    for name in dict.fromkeys((r.setting, r.network.split(' at ')[0]) for r in rows):
        points = [r for r in rows if (r.setting, r.network.split(' at ')[0]) == name]
        points.sort(key=lambda r: r.macs)
        x, y = [r.macs for r in points], [r.ratio.median for r in points]
        low = [r.ratio.median - r.ratio.lower for r in points]
        high = [r.ratio.upper - r.ratio.median for r in points]
        axes.errorbar(x, y, yerr=(low, high), marker='o', markersize=4, label=', '.join(name))
    axes.axline((0, 0), slope=1, color='grey', linestyle='--', linewidth=1)
    axes.set(xlabel='MACs / baseline', ylabel='time / baseline', xlim=(0, None), ylim=(0, None))
    axes.legend(fontsize=7)
    with whole_file(path) as file:
        figure.savefig(file, format='png', dpi=120)
    plt.close(figure)
