"""The report's figures for print, with matplotlib."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ..stats.association import Association
from .embedding import shown
from .evaluation import Evaluation, brief
from .gain_panel import GainPanel, MeasuredGains
from .measures import COUNT, SIZE, Measure, error_title
from .style import GREY, bars, colour, jittered, literal, mean_label
from .wording import short

LINE, FEW = 0.16, 3  # inches a line of text takes; lines that leave room for the points
LETTER = 0.07  # inches a letter of a legend takes, about
NARROW = 45  # characters that fit a panel's legend
HALF = 60  # characters that fit half of the width of a legend
MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X', '*')  # runs differ in print without colour, too


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
    titles = [_title(summaries, measure) for measure in (COUNT, SIZE)]
    labels = [mean_label(summaries, run) for run in range(len(summaries))]
    columns = 2 if max(map(len, labels)) <= HALF else 1
    lines = max(title.count('\n') for title in titles) + len(summaries) // columns
    figure = Figure(figsize=(10, 4.2 + LINE * max(0, lines - FEW)), layout='constrained', dpi=150)
    both = zip(figure.subplots(1, 2, sharey=True), (COUNT, SIZE), titles, strict=True)
    for axes, measure, title in both:
        for run, (evaluation, summary) in enumerate(zip(evaluations, summaries, strict=True)):
            chosen = shown(evaluation)
            x = evaluation.column(measure.field)[chosen]
            y = jittered(evaluation.column('total_iterations')[chosen], 1)
            x = x if measure.log else jittered(x, 0)
            axes.scatter(x, y, s=8, color=colour(run), alpha=0.3, linewidths=0)
            _means(axes, run, labels[run], summary['bins'].get(measure.field, []))
        axes.set_xlabel(measure.label)
        sizes = [b['x_mean'] for s in summaries for b in s['bins'].get(measure.field, [])]
        if measure.log and max(sizes, default=0) > 0:
            axes.set_xscale('log')
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(title, fontsize=9)
    figure.axes[0].set_ylabel('iterations per image')
    _legend(figure, columns)
    return figure


def _legend(figure: Figure, columns: int = 1) -> None:
    """Below: it hides no point, and a long name takes no room from the axes."""
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, fontsize=8, loc='outside lower center', ncols=columns)


def _size(width: float, height: float, labels: Sequence[str]) -> tuple[float, float]:
    """Of a figure, in inches, whose legend has these labels below each other."""
    return max(width, 1 + LETTER * max(map(len, labels))), height + LINE * len(labels)


def _means(axes: Axes, run: int, label: str, bins: list[dict[str, Any]]) -> None:
    if bins:
        style = dict(marker=MARKERS[run % len(MARKERS)], markeredgecolor='white')
        binned(axes, literal(label), bins, color=colour(run), **style)


def binned(axes: Axes, label: str, bins: list[dict[str, Any]], **style: Any) -> None:
    """A line through the means of bins, with their intervals."""
    means, below, above = bars(bins)
    x = [b['x_mean'] for b in bins]
    axes.errorbar(x, means, yerr=[below, above], capsize=3, label=label, **style)


def _title(summaries: list[dict[str, Any]], measure: Measure) -> str:
    """The correlations, a line or more a run, none wider than a panel."""
    lines: list[str] = []
    for summary in summaries:
        name = f'{literal(summary["name"])}: ' if len(summaries) > 1 else ''
        for entry in summary['associations']:
            if entry['field'] == measure.field:
                line = f'{name}rho {short(Association(**entry["spearman"]))}'
                lines.extend(textwrap.wrap(line, 65))
    return '\n'.join(lines)


def stages(summaries: list[dict[str, Any]]) -> Figure:
    """Share of images by number of iterations, one panel a stage."""
    count = max(len(summary['iterations']['max']) for summary in summaries)
    size = _size(2.6 * count, 2.8, [literal(s['name']) for s in summaries])
    figure = Figure(figsize=size, layout='constrained', dpi=150)
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
        _legend(figure)
    return figure


def figure4(summaries: list[dict[str, Any]]) -> Figure:
    """Mean error of the images by their iterations; dashed: all images."""
    labels = [mean_label(summaries, run) for run in range(len(summaries))]
    figure = Figure(figsize=_size(5.6, 4, labels), layout='constrained', dpi=150)
    axes = figure.subplots()
    for run, summary in enumerate(summaries):
        if summary['error']:
            _means(axes, run, labels[run], summary['error']['bins'])
            axes.axhline(summary['error']['overall'], color=colour(run), linestyle='--', linewidth=1)
    axes.set_xlabel('iterations per image')
    axes.set_ylabel(error_title(summaries))
    axes.set_ylim(0, 1)
    _legend(figure)
    return figure


def budget_figure(
    shares: Sequence[float], score: tuple[str, Sequence[float]], times: Sequence[float], title: str
) -> Figure:
    """A panel for each, dashed at its value for the highest share.

    Args:
        shares: Of the full MACs, ascending, (P,).
        score: Its name and values, (P,).
        times: In ms, (P,).
        title: What was measured where.
    """
    figure = Figure(figsize=(10, 4.2), layout='constrained', dpi=150)
    figure.suptitle(literal(title), fontsize=9)
    percent = [100 * share for share in shares]
    panels = (score, ('ms per image, median', times))
    for k, (axes, (label, values)) in enumerate(zip(figure.subplots(1, 2), panels, strict=True)):
        axes.axhline(
            values[-1], color=GREY, linestyle='--', linewidth=1, label=f'at {percent[-1]:.0f}%'
        )
        axes.plot(percent, values, color=colour(k), marker='o', markeredgecolor='white')
        axes.set_xlabel("% of full depth's MACs")
        axes.set_ylabel(literal(label))
        axes.legend(fontsize=8, loc='lower right')
    axes.set_ylim(bottom=0)  # of the time
    return figure


def gain_figure(panel: GainPanel) -> Figure:
    """Score against MACs; beside it iterations and benefit against each measure of the images."""
    columns = 1 + len(panel.by_measure)
    figure = Figure(figsize=(4.8 * columns, 5), layout='constrained', dpi=150)
    lines = ['Does adapting pay?', *textwrap.wrap(panel.sentence, min(55 * columns, 105))]
    figure.suptitle('\n'.join(map(literal, lines)), fontsize=9)
    grid = figure.add_gridspec(2, columns)
    _frontier(figure.add_subplot(grid[:, 0]), panel.measured)
    for k, entry in enumerate(panel.by_measure, start=1):
        spent = figure.add_subplot(grid[0, k])
        _gain_by_measure(
            spent, figure.add_subplot(grid[1, k], sharex=spent), entry, panel.measured.policies
        )
    return figure


def _frontier(axes: Axes, measured: MeasuredGains) -> None:
    """Static budgets and their envelope, policies, and these with their depths shuffled."""
    menu = sorted(measured.menu, key=lambda budget: budget.cost)
    corners = [budget for budget in menu if budget.vertex]
    lines = {'static budgets': (menu, 's'), 'best static mixtures': (corners, '-')}
    for label, (budgets, style) in lines.items():
        shares = [100 * budget.share for budget in budgets]
        axes.plot(shares, [budget.score for budget in budgets], style, color=GREY, label=label)
    for run, (name, gain) in enumerate(zip(measured.policies, measured.gains, strict=True)):
        x, shuffled = 100 * gain.share, gain.shuffled
        if shuffled is not None:
            axes.vlines(x, shuffled.low, shuffled.high, colour(run), linewidth=9, alpha=0.3)
        bars = [[max(0.0, gain.value - gain.low)], [max(0.0, gain.high - gain.value)]]
        label = literal(brief(name, NARROW))
        axes.errorbar(x, gain.score, bars, fmt='o', color=colour(run), capsize=3, label=label)
    axes.set_xlabel("% of full depth's MACs; bars: 95% interval of the gain")
    axes.set_ylabel(literal(measured.score))
    axes.legend(fontsize=8)


def _gain_by_measure(spent: Axes, bought: Axes, entry: dict[str, Any], names: list[str]) -> None:
    binned(bought, 'full depth over the cheapest budget', entry['depth'], color=GREY)
    for run, (name, policy) in enumerate(zip(names, entry['policies'], strict=True)):
        binned(spent, literal(name), policy['iterations'], color=colour(run))
        binned(bought, 'over the static mixture', policy['benefit'], color=colour(run), linestyle='--')
    if entry['log'] and all(b['x_mean'] > 0 for b in entry['depth']):
        spent.set_xscale('log')
        spent.xaxis.set_minor_formatter(NullFormatter())
    spent.set_ylabel('iterations')
    bought.set_ylabel('benefit, points')
    bought.set_xlabel(entry['label'])
    bought.legend(fontsize=7)
