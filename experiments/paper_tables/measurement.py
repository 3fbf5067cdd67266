"""Counts, reads and times all networks of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from benchmarks.speed.forward_runs import Ratio, forward_runs
from iterbackbone.core.macs import Size
from iterbackbone.mm.counting.summary import image_summary
from iterbackbone.timing import Run, forward_seconds

from .columns import BOUNDS, Cell, columns
from .logged import Logged, read_logged
from .row import Row, Table

BASELINE = 'ResNet152'
CLASSIFIERS = ('classifier', 'fc')  # torchvision's names


@dataclass(frozen=True)
class Measured:
    """A table filled in.

    Attributes:
        table: Which.
        cells: By row and column; bounds of a network that is not iterative are absent.
        logs: Folder of the evaluation, by row, where one was given.
        rounds: Of the timing; None where nothing was timed.
        baseline_seconds: Median forward time of ResNet152, where times were measured.
    """

    table: Table
    cells: Mapping[str, Mapping[str, Cell]]
    logs: Mapping[str, Path]
    rounds: int | None = None
    baseline_seconds: float | None = None


def measure(table: Table, logs: Mapping[str, Path], rounds: int | None = None) -> Measured:
    """Count all rows and, if asked to, time them.

    Args:
        table: Which.
        logs: Folder of an evaluation, by row; see :func:`~.logged.read_logged`.
        rounds: In how many rounds to time the networks, at least 2; None for no timing.

    Raises:
        ValueError: there is no such row, or a log is not of its network.
    """
    for name in logs:
        table.row(name)  # raises where there is none
    values: dict[str, dict[str, float]] = {}
    runs: dict[tuple[str, str], Run] = {}
    for name, row in table.rows.items():
        values[name] = {}
        if row.model is None and name not in logs:
            continue  # with a log build() says that there is no such network
        model, size = row.build(), table.size(row)
        logged = read_logged(logs[name], model, size) if name in logs else Logged({})
        values[name] = {**counts(model, size), **logged.values()}
        if rounds:
            timed = forward_runs(model, size, logged.iterations)
            runs.update({(name, f'time_{key}'): run for key, run in timed.items()})
    ratios, seconds = _ratios(runs, rounds) if rounds else ({}, None)
    cells = {
        name: _cells(table, row, values[name], {key: r for (n, key), r in ratios.items() if n == name})
        for name, row in table.rows.items()
    }
    return Measured(table, cells, logs, rounds, seconds)


def counts(model: nn.Module, size: Size) -> dict[str, float]:
    """Parameters and MACs of one image, by column.

    Args:
        model: mmpretrain's classifier, in evaluation mode, on the CPU.
        size: (H, W) of the image in pixels.
    """
    summary = image_summary(model, size, None)
    parameters, macs = summary['parameters']['total'], summary['macs']
    found = {'parameters': parameters, 'features': parameters - _classifier_parameters(model)}
    if not summary['iterative']:
        return {**found, 'macs_mean': macs['highest']['total']}
    return {**found, **{f'macs_{bound}': macs[bound]['total'] for bound in ('lowest', 'highest')}}


def _classifier_parameters(model: nn.Module) -> int:
    head = getattr(model, 'head', None)
    if head is None:
        heads = [getattr(model.backbone, name, None) for name in CLASSIFIERS]
        head = next(each for each in heads if each is not None)
    return sum(parameter.numel() for parameter in head.parameters())


def _ratios(runs: Mapping[tuple[str, str], Run], rounds: int) -> tuple[dict, float]:
    """Of all runs to ResNet152, and its median seconds."""
    seconds = forward_seconds(runs, rounds)
    baseline = seconds[BASELINE, 'time_mean']
    ratios = {key: Ratio.of(each, baseline) for key, each in seconds.items()}
    return ratios, sorted(baseline)[len(baseline) // 2]


def _cells(
    table: Table, row: Row, values: Mapping[str, float], ratios: Mapping[str, Ratio]
) -> dict[str, Cell]:
    cells = {key: Cell(values.get(key), row.paper.get(key)) for key in columns(table)}
    for key, ratio in ratios.items():
        cells[key] = Cell(ratio.median, row.paper.get(key), (ratio.lower, ratio.upper))
    iterative = 'macs_highest' in values
    return {key: cell for key, cell in cells.items() if iterative or key not in BOUNDS}
