"""The columns of the paper's tables and what a cell of them says."""

from __future__ import annotations

from dataclasses import dataclass

from .row import Table


@dataclass(frozen=True)
class Cell:
    """One figure.

    Attributes:
        measured: Counted or measured here; None where it was not. Counts are plain numbers,
            accuracies percent, times shares of the baseline's.
        paper: What the paper's text states.
        quartiles: Lower and upper quartile of a time, over the rounds.
    """

    measured: float | None = None
    paper: str | None = None
    quartiles: tuple[float, float] | None = None


@dataclass(frozen=True)
class Column:
    """One quantity.

    Attributes:
        heading: What stands over it.
        unit: Of the printed numbers.
        decimals: Of the same.
    """

    heading: str
    unit: float = 1.0
    decimals: int = 2


COUNTS = {
    'parameters': Column('parameters, M', 1e6),
    'features': Column('without classifier, M', 1e6),
    'macs_lowest': Column('GMAC, one iteration', 1e9),
    'macs_mean': Column('GMAC, mean', 1e9),
    'macs_highest': Column('GMAC, all iterations', 1e9),
}
ACCURACIES = {'top1': Column('top-1, %', 1.0, 1), 'top5': Column('top-5, %', 1.0, 1)}
TIMES = {
    'time_lowest': Column('time, one iteration, %', 0.01, 0),
    'time_mean': Column('time, mean, %', 0.01, 0),
    'time_highest': Column('time, all iterations, %', 0.01, 0),
}
BOUNDS = ('macs_lowest', 'macs_highest', 'time_lowest', 'time_highest')


def columns(table: Table) -> dict[str, Column]:
    """Of one table, in order."""
    accuracies = {name: ACCURACIES[name] for name in table.accuracies}
    return {**COUNTS, **accuracies, **TIMES}
