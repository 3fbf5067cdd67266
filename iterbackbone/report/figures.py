"""The report's figures for print, with matplotlib: the charts of its page, and contact sheets."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullFormatter
from plotly.subplots import make_subplots

from ..stats.association import Association
from .charts import errors, scatter, stages
from .evaluation import Evaluation
from .gain_charts import gain_charts
from .gain_panel import MeasuredGains
from .image_files import Folders
from .measures import COUNT, SIZE, short
from .pictures import coloured, label_maps, overlays, thumbnail_of
from .style import GREY, SYMBOLS, colour, literal

LINE, LETTER = 0.16, 0.07  # inches that a line of text takes, and a letter of a legend
POINTS = 0.7  # of print to a pixel of the page
COLUMNS, ROWS = 4, 2  # of a contact sheet
IMAGES = COLUMNS * ROWS
BOXES: dict[str, dict[str, Any]] = {
    'true': dict(edgecolor='#009E73', linewidth=1.6),
    'difficult': dict(edgecolor='#777777', linewidth=1.0, linestyle=':'),
    'predicted': dict(edgecolor='#E69F00', linewidth=1.2, linestyle='--'),
}


def figures(evaluations: list[Evaluation], summaries: list[dict[str, Any]]) -> dict[str, Figure]:
    """Figures by file name; those without data are left out."""
    panels = stages(summaries)
    found = {'stages': printed([panels], width=max(10, 2.6 * len(list(panels.select_xaxes()))))}
    if any(COUNT.field in summary['bins'] for summary in summaries):
        found['figure6'] = figure6(evaluations, summaries)
    if any(summary['error'] for summary in summaries):
        found['figure4'] = printed([errors(summaries)])
    return found


def figure6(evaluations: list[Evaluation], summaries: list[dict[str, Any]]) -> Figure:
    """Iterations against the number (a) and the mean size (b) of objects, below their correlations."""
    lines = []
    for summary in summaries:
        found = {e['field']: short(Association(**e['spearman'])) for e in summary['associations']}
        said = [f'{m.noun}: rho {found[m.field]}' for m in (COUNT, SIZE) if m.field in found]
        name = f'{summary["name"]}: ' if len(summaries) > 1 else ''
        whole = '; '.join(said).replace(', ', ',\N{NO-BREAK SPACE}')  # no line ends in an interval
        lines.append(name + whole)
    return printed([scatter(evaluations, summaries, measure) for measure in (COUNT, SIZE)], lines)


def gain_figure(measured: MeasuredGains) -> Figure:
    """Score against MACs; beside it iterations and benefit against each measure of the images."""
    drawn = list(gain_charts(measured).values())
    return printed(drawn, ['Does adapting pay?', measured.verdict], max(10, 4.8 * len(drawn)), 5)


def printed(
    charts: Sequence[go.Figure], title: Sequence[str] = (), width: float = 10, height: float = 4
) -> Figure:
    """Charts side by side; one legend below all, which hides no point and narrows no axes."""
    figure = Figure(layout='constrained', dpi=150)
    grid = figure.add_gridspec(1, len(charts))
    for i, chart in enumerate(charts):
        domains = [axis.domain for axis in chart.select_xaxes()]
        below = len(set(domains)) < len(domains)  # panels below each other, with one axis of x
        shape = (len(domains), 1) if below else (1, len(domains))
        panels = grid[i].subgridspec(*shape).subplots(sharex=below, squeeze=False)
        for k, axes in enumerate(panels.ravel()):
            _draw_panel(axes, chart, str(k + 1) if k else '')
    lines = [literal(line) for text in title for line in textwrap.wrap(text, 105)]
    if lines:
        figure.suptitle('\n'.join(lines), fontsize=9)
    handles: dict[str, Any] = {}
    for axes in figure.axes:
        found, labels = axes.get_legend_handles_labels()
        handles |= zip(labels, found, strict=True)
    columns = max(1, int(width / (1 + LETTER * max(map(len, handles), default=0))))
    if handles:  # an empty legend is a box
        style = dict(fontsize=8, loc='outside lower center', ncols=columns)
        figure.legend(handles.values(), handles, **style)
    rows = len(lines) + math.ceil(len(handles) / columns)
    figure.set_size_inches(width, height + LINE * rows)
    return figure


def _draw_panel(axes: Axes, chart: go.Figure, suffix: str) -> None:
    """One panel of a chart, whose axes are called ``xaxis`` and ``yaxis`` with the suffix."""
    x, y = chart.layout[f'xaxis{suffix}'], chart.layout[f'yaxis{suffix}']
    for trace in chart.data:
        if (trace.xaxis or 'x') == f'x{suffix}':
            _draw(axes, trace)
    if x.type == 'log':
        axes.set_xscale('log')
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel=_text(x.title.text), ylabel=_text(y.title.text))
    limits = {'xlim': x.range, 'ylim': y.range}
    axes.set(**{name: limit for name, limit in limits.items() if limit})
    axes.tick_params(labelleft=y.showticklabels is not False)
    titles = chart.layout.annotations  # of panels beside each other
    if titles:
        axes.set_title(_text(titles[int(suffix or 1) - 1].text), fontsize=9)


def _draw(axes: Axes, trace: Any) -> None:
    label = '_hidden' if trace.showlegend is False else _text(trace.name)
    if trace.type == 'bar':
        x = np.array(trace.x) + trace.offset + trace.width / 2
        axes.bar(x, trace.y, trace.width, color=trace.marker.color, label=label)
        return
    bars = None if trace.error_y.array is None else [trace.error_y.arrayminus, trace.error_y.array]
    style = dict(linestyle='none')
    if 'lines' in trace.mode:
        width = POINTS * (trace.line.width or 2)
        style = dict(linestyle='--' if trace.line.dash == 'dash' else '-', linewidth=width)
    if 'markers' in trace.mode:
        style |= dict(marker=SYMBOLS[trace.marker.symbol or 'circle'], markeredgecolor='white')
        style |= dict(markersize=POINTS * (trace.marker.size or 6), markeredgewidth=0.5)
    alpha = trace.opacity or trace.marker.opacity
    shade = trace.line.color or trace.marker.color
    style |= dict(solid_capstyle='butt')  # a wide line ends where its interval does
    axes.errorbar(trace.x, trace.y, bars, color=shade, alpha=alpha, capsize=3, label=label, **style)


def _text(markup: str | None) -> str:
    return literal(html.unescape(markup or ''))


def budget_figure(
    shares: Sequence[float], score: tuple[str, Sequence[float]], times: Sequence[float], title: str
) -> Figure:
    """Score (name and values) and times in ms against ascending shares of the full MACs, (P,) each.

    Each is dashed at its value for the highest share.
    """
    chart = make_subplots(rows=1, cols=2)
    percent = [100 * share for share in shares]
    for k, (label, values) in enumerate((score, ('ms per image, median', times)), start=1):
        line, last = dict(color=colour(k - 1)), dict(color=GREY, dash='dash')
        ends, name = [percent[0], percent[-1]], f'at {percent[-1]:.0f}%'
        chart.add_scatter(x=ends, y=[values[-1]] * 2, mode='lines', line=last, name=name, row=1, col=k)
        chart.add_scatter(
            x=percent, y=values, line=line, mode='lines+markers', name=label, row=1, col=k
        )
        chart.update_yaxes(title=label, col=k)
    chart.update_xaxes(title="% of full depth's MACs")
    chart.update_yaxes(range=[0, 1.1 * max(times)], col=2)
    return printed([chart], [title])


def contact_sheets(
    evaluation: Evaluation, image_root: Folders, score_threshold: float
) -> dict[str, Figure]:
    """``easiest`` and ``hardest`` images, as far as some can be read (as the paper's Figure 5)."""
    ranked = evaluation.ranking
    sheets = {}
    for name, order in {'easiest': ranked, 'hardest': ranked[::-1]}.items():
        tried = ((i, thumbnail_of(evaluation, i, image_root)) for i in order[: 10 * IMAGES])
        images = dict(islice((pair for pair in tried if pair[1] is not None), IMAGES))
        if images:
            sheets[name] = _sheet(evaluation, images, score_threshold)
    return sheets


def _sheet(evaluation: Evaluation, images: dict[int, Any], score_threshold: float) -> Figure:
    """Pictures with their boxes; below each its label maps where it has some."""
    maps = {i: label_maps(evaluation, i) for i in images}
    kinds = sorted({kind for found in maps.values() for kind in found}, reverse=True)
    rows = ROWS * (1 + len(kinds))
    figure = Figure(figsize=(3 * COLUMNS, 2.5 * rows), layout='constrained', dpi=120)
    panels = figure.subplots(rows, COLUMNS)
    for axes in panels.ravel():
        axes.axis('off')
    for n, (i, picture) in enumerate(images.items()):
        column = panels[n // COLUMNS * (1 + len(kinds)) :, n % COLUMNS]
        column[0].imshow(picture)
        column[0].set_title(_caption(evaluation, i), fontsize=9)
        _draw_boxes(column[0], picture.size, overlays(evaluation, i, score_threshold))
        for axes, kind in zip(column[1:], kinds, strict=False):
            if kind in maps[i]:
                axes.imshow(coloured(evaluation, maps[i][kind]))
                axes.set_title(kind, fontsize=8)
    return figure


def _caption(evaluation: Evaluation, i: int) -> str:
    record = evaluation.records[i]
    objects, words = record.get('num_objects'), evaluation.outcome(i)
    shown = '' if objects is None else f', {objects} object' + ('s' if objects != 1 else '')
    shown += '' if words is None else '\n' + literal(words)
    return f'{record["total_iterations"]:.3g} iterations{shown}'


def _draw_boxes(axes: Axes, size: tuple[int, int], boxes: dict[str, list[dict[str, Any]]]) -> None:
    for kind, style in BOXES.items():
        for entry in boxes.get(kind, []):
            left, top, right, bottom = (s * n for s, n in zip(entry['box'], 2 * size, strict=True))
            axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, **style))
