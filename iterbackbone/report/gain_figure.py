"""The panel "Does adapting pay?" for print and for mmengine's visualizer, with matplotlib."""

from __future__ import annotations

import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from .figures import binned
from .gain_panel import GainPanel
from .measured_gains import MeasuredGains
from .style import GREY, colour, literal


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
        _by_measure(spent, figure.add_subplot(grid[1, k], sharex=spent), entry, panel.measured.policies)
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
        axes.errorbar(x, gain.score, bars, fmt='o', color=colour(run), capsize=3, label=literal(name))
    axes.set_xlabel("% of full depth's MACs; bars: 95% interval of the gain")
    axes.set_ylabel(literal(measured.score))
    axes.legend(fontsize=8)


def _by_measure(spent: Axes, bought: Axes, entry: dict[str, Any], names: list[str]) -> None:
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
