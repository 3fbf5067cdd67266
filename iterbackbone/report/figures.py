"""The report's figures for print, with matplotlib."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ..stats.association import Association
from .evaluation import Evaluation
from .measures import COUNT, SIZE, Measure, error_title
from .points import shown
from .style import bars, colour, jittered, literal, mean_label
from .wording import short

MARKERS = ('o', 's', '^', 'D', 'v', 'P')  # runs differ in print without colour, too


def figures(evaluations: list[Evaluation], summaries: list[dict[str, Any]]) -> dict[str, Figure]:
    """Figures by file name; those without data are left out."""
    found = {'stages': stages(summaries)}
    if any(COUNT.field in summary['bins'] for summary in summaries):
        found['figure6'] = figure6(evaluations, summaries)
    if any(summary['error'] for summary in summaries):
        found['figure4'] = figure4(summaries)
    return found


def figure6(evaluations: list[Evaluation], summaries: list[dict[str, Any]]) -> Figure:
    """Iterations against the number (a) and the mean size (b) of objects."""
    figure = Figure(figsize=(10, 4.2), layout='constrained', dpi=150)
    for axes, measure in zip(figure.subplots(1, 2, sharey=True), (COUNT, SIZE), strict=True):
        for run, (evaluation, summary) in enumerate(zip(evaluations, summaries, strict=True)):
            _points(axes, run, evaluation, measure)
            _means(axes, run, mean_label(summaries, run), summary['bins'].get(measure.field, []))
        axes.set_xlabel(measure.label)
        sizes = [b['x_mean'] for s in summaries for b in s['bins'].get(measure.field, [])]
        if measure.log and max(sizes, default=0) > 0:
            axes.set_xscale('log')
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(_title(summaries, measure), fontsize=9)
    figure.axes[0].set_ylabel('iterations per image')
    figure.axes[0].legend(fontsize=8)
    return figure


def _points(axes: Axes, run: int, evaluation: Evaluation, measure: Measure) -> None:
    chosen = shown(evaluation)
    x = evaluation.column(measure.field)[chosen]
    y = jittered(evaluation.column('total_iterations')[chosen], 1)
    axes.scatter(
        x if measure.log else jittered(x, 0), y, s=8, color=colour(run), alpha=0.3, linewidths=0
    )


def _means(axes: Axes, run: int, label: str, bins: list[dict[str, Any]]) -> None:
    if bins:
        style = dict(marker=MARKERS[run % len(MARKERS)], markeredgecolor='white')
        binned(axes, literal(label), bins, color=colour(run), **style)


def binned(axes: Axes, label: str, bins: list[dict[str, Any]], **style: Any) -> None:
    """A line through the means of bins, with their intervals."""
    means, below, above = bars(bins)
    x = [b['x_mean'] for b in bins]
    axes.errorbar(x, means, yerr=np.stack([below, above]), capsize=3, label=label, **style)


def _title(summaries: list[dict[str, Any]], measure: Measure) -> str:
    """The correlations, one line a run."""
    lines = []
    for summary in summaries:
        name = f'{literal(summary["name"])}: ' if len(summaries) > 1 else ''
        for entry in summary['associations']:
            if entry['field'] == measure.field:
                lines.append(f'{name}rho {short(Association(**entry["spearman"]))}')
    return '\n'.join(lines)


def stages(summaries: list[dict[str, Any]]) -> Figure:
    """Share of images by number of iterations, one panel a stage."""
    count = max(len(summary['iterations']['max']) for summary in summaries)
    figure = Figure(figsize=(2.6 * count, 2.8), layout='constrained', dpi=150)
    panels = np.atleast_1d(figure.subplots(1, count, sharey=True))
    width = 0.8 / len(summaries)
    for run, summary in enumerate(summaries):
        for k, counts in enumerate(summary['iterations']['per_stage']):
            x = np.array(counts['iterations']) + (run - (len(summaries) - 1) / 2) * width
            share = 100 * np.array(counts['images']) / summary['num_images']
            panels[k].bar(x, share, width, color=colour(run), label=literal(summary['name']))
            panels[k].set_title(f'stage {k}', fontsize=9)
            panels[k].set_xlim(0.4, max(summary['iterations']['max'][k] + 0.6, panels[k].get_xlim()[1]))
            panels[k].set_xlabel('iterations')
            panels[k].xaxis.get_major_locator().set_params(integer=True)
    panels[0].set_ylabel('% of the images')
    panels[0].set_ylim(0, 100)
    if len(summaries) > 1:
        panels[0].legend(fontsize=7)
    return figure


def figure4(summaries: list[dict[str, Any]]) -> Figure:
    """Mean error of the images by their iterations; dashed: all images."""
    figure = Figure(figsize=(5.6, 4), layout='constrained', dpi=150)
    axes = figure.subplots()
    for run, summary in enumerate(summaries):
        if summary['error']:
            _means(axes, run, mean_label(summaries, run), summary['error']['bins'])
            axes.axhline(summary['error']['overall'], color=colour(run), linestyle='--', linewidth=1)
    axes.set_xlabel('iterations per image')
    axes.set_ylabel(error_title(summaries))
    axes.set_ylim(0, 1)
    axes.legend(fontsize=8)
    return figure
