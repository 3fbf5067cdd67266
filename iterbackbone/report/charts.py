"""Charts of one or several evaluations, as plotly figures; :mod:`.figures` prints them.

A trace's ``legendgroup`` is the number of its run: the page's slider shows one run at a time.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..stats.gain_verdict import amount
from .evaluation import Evaluation
from .gain_panel import GainPanel, MeasuredGains
from .measures import COUNT, SIZE, Measure, error_title
from .pictures import evenly, ranking
from .style import GREY, LAYOUT, MIN_IMAGES, colour, jittered, safe, symbol

MAX_POINTS = 3000  # of all evaluations; more slow a browser down and hide each other
BELOW = {**LAYOUT, 'legend_y': -0.3, 'legend_yanchor': 'top'}  # a legend of many lines


def charts(evaluations: list[Evaluation], summaries: list[dict[str, Any]]) -> dict[str, go.Figure]:
    """Figures by the id of their place in the page; those without data are left out."""
    found = {
        'figure6a': scatter(evaluations, summaries, COUNT),
        'figure6b': scatter(evaluations, summaries, SIZE),
        'stages': stages(summaries),
        'figure4': errors(summaries),
    }
    return {name: figure for name, figure in found.items() if figure.data}


def scatter(
    evaluations: list[Evaluation], summaries: list[dict[str, Any]], measure: Measure
) -> go.Figure:
    """Figure 6: iterations against a measure, one point an image, binned means on top."""
    figure = go.Figure()
    for run, (evaluation, summary) in enumerate(zip(evaluations, summaries, strict=True)):
        if measure.field not in summary['bins']:
            continue
        chosen = evenly(ranking(evaluation), MAX_POINTS // len(summaries))
        x = evaluation.column(measure.field)[chosen]
        figure.add_scatter(
            x=np.where(x > 0, x, np.nan) if measure.log else jittered(x, 0),
            y=jittered(evaluation.column('total_iterations')[chosen], 1),
            mode='markers',
            name='image',
            showlegend=len(summaries) == 1,
            customdata=[f'{run}/{i}' for i in chosen],
            legendgroup=str(run),
            hoverinfo='none',  # the page shows its own, with the picture
            marker=dict(color=colour(run), size=6, opacity=0.45),
        )
        figure.add_trace(_means(run, summaries, summary['bins'][measure.field]))
    figure.update_layout(**LAYOUT, xaxis_title=measure.label, yaxis_title='iterations per image')
    figure.update_xaxes(type='log' if measure.log else 'linear')
    return figure


def binned(bins: list[dict[str, Any]], name: str, **style: Any) -> go.Scatter:
    """A line through the means of bins, with their intervals.

    A bin of few images has no bar: its interval would be wider than the axis.
    """
    wide = [b['num_images'] >= MIN_IMAGES for b in bins]
    x, means = [b['x_mean'] for b in bins], [b['mean'] for b in bins]
    below = [b['mean'] - b['mean_low'] if w else 0 for b, w in zip(bins, wide, strict=True)]
    above = [b['mean_high'] - b['mean'] if w else 0 for b, w in zip(bins, wide, strict=True)]
    bars = dict(arrayminus=below, array=above)
    return go.Scatter(x=x, y=means, error_y=bars, mode='lines+markers', name=safe(name), **style)


def _means(run: int, summaries: list[dict[str, Any]], bins: list[dict[str, Any]]) -> go.Scatter:
    name = f'{summaries[run]["name"]}: ' if len(summaries) > 1 else ''
    marker = dict(size=9, symbol=symbol(run), line=dict(color='white', width=1))
    style = dict(line=dict(color=colour(run), width=2), marker=marker, hoverinfo='skip')
    return binned(bins, f'{name}mean and 95% interval', legendgroup=str(run), **style)


def stages(summaries: list[dict[str, Any]]) -> go.Figure:
    """Share of images by number of iterations, one panel a stage."""
    limits = [summary['iterations']['max'] for summary in summaries]
    highest = [max(stage) for stage in zip_longest(*limits, fillvalue=0)]
    count, width = len(highest), 0.8 / len(summaries)
    titles = [f'stage {k}' for k in range(count)]
    figure = make_subplots(rows=1, cols=count, shared_yaxes=True, subplot_titles=titles)
    for run, summary in enumerate(summaries):
        for k, counts in enumerate(summary['iterations']['per_stage'], start=1):
            figure.add_bar(
                x=counts['iterations'],
                y=[100 * n / summary['num_images'] for n in counts['images']],
                name=safe(summary['name']),
                legendgroup=str(run),
                showlegend=k == 1 and len(summaries) > 1,
                marker_color=colour(run),
                width=width,
                # Plotly's own would grow with the least distance of the values: away from their tick.
                offset=width * run - 0.4,
                hovertemplate='%{x} iterations: %{y:.1f}% of the images<extra></extra>',
                row=1,
                col=k,
            )
    for k, most in enumerate(highest, start=1):
        figure.update_xaxes(range=[0.4, most + 0.6], col=k)
    figure.update_layout(**LAYOUT, legend_y=1.1)  # above the panels' titles
    figure.update_yaxes(range=[0, 100])
    figure.update_yaxes(title='% of the images', col=1)
    figure.update_xaxes(title='iterations', col=(count + 1) // 2)  # once: panels may be narrow
    return figure


def errors(summaries: list[dict[str, Any]]) -> go.Figure:
    """Figure 4: mean error of the images by their iterations, and the overall one as a line."""
    figure = go.Figure()
    known = [(run, s['error']) for run, s in enumerate(summaries) if s['error'] is not None]
    ends = [b['x_mean'] for _, error in known for b in error['bins']]
    for run, error in known:
        figure.add_trace(_means(run, summaries, error['bins']))
        figure.add_scatter(
            x=[min(ends), max(ends)],
            y=[error['overall']] * 2,
            mode='lines',
            name='all images',
            legendgroup=str(run),
            showlegend=False,
            hoverinfo='skip',
            line=dict(color=colour(run), dash='dash', width=1),
        )
    titles = dict(xaxis_title='iterations per image', yaxis_title=error_title(summaries))
    figure.update_layout(**LAYOUT, **titles, yaxis_range=[0, 1])
    figure.update_xaxes(tickformat='~r', nticks=12)
    return figure


def gain_charts(panel: GainPanel) -> dict[str, go.Figure]:
    """Those of the panel "Does adapting pay?", by the id of their place in the page."""
    names = panel.measured.policies
    found = {f'gain_{entry["field"]}': by_measure(entry, names) for entry in panel.by_measure}
    return {'gain': frontier(panel.measured), **found}


def frontier(measured: MeasuredGains) -> go.Figure:
    """Score against MACs: static budgets, their envelope, policies and their shuffled depths."""
    figure = go.Figure()
    menu = sorted(measured.menu, key=lambda budget: budget.cost)
    corners = [budget for budget in menu if budget.vertex]
    marker = dict(color=GREY, size=9, symbol='square')
    _add(figure, 'static budgets', menu, mode='markers', marker=marker)
    _add(figure, 'best static mixtures', corners, mode='lines', line=dict(color=GREY, width=2))
    for run, (name, gain) in enumerate(zip(measured.policies, measured.gains, strict=True)):
        prefix = f'{name}: ' if len(measured.policies) > 1 else ''
        x, shuffled = 100 * gain.share, gain.shuffled
        if shuffled is not None:
            figure.add_scatter(
                x=[x, x],
                y=[shuffled.low, shuffled.high],
                mode='lines',
                name=safe(f'{prefix}its depths on other images, 95%'),
                line=dict(color=colour(run), width=14),
                opacity=0.3,
                hovertemplate='shuffled depths: %{y:.4g}<extra></extra>',
            )
        bars = [max(0, gain.value - gain.low)], [max(0, gain.high - gain.value)]
        value = amount(gain.value, measured.unit)
        figure.add_scatter(
            x=[x],
            y=[gain.score],
            error_y=dict(arrayminus=bars[0], array=bars[1]),
            mode='markers',
            name=safe(f'{prefix}policy, 95% interval of its gain'),
            marker=dict(color=colour(run), size=11),
            hovertemplate=f'%{{x:.1f}}% of the MACs, %{{y:.4g}}, gain {value}<extra></extra>',
        )
    titles = dict(xaxis_title="% of full depth's MACs", yaxis_title=safe(measured.score))
    return figure.update_layout(**BELOW, **titles)


def _add(figure: go.Figure, name: str, budgets: list[Any], **style: Any) -> None:
    figure.add_scatter(
        x=[100 * budget.share for budget in budgets],
        y=[budget.score for budget in budgets],
        text=[safe(budget.name) for budget in budgets],
        name=name,
        hovertemplate='%{text}: %{x:.1f}% of the MACs, %{y:.4g}<extra></extra>',
        **style,
    )


def by_measure(entry: dict[str, Any], names: list[str]) -> go.Figure:
    """What depth and the policies buy against a measure of the image."""
    figure, hover = go.Figure(), '%{y:.2f}<extra></extra>'
    line = dict(color=GREY)
    title = 'full depth over the cheapest budget'
    figure.add_trace(binned(entry['depth'], title, line=line, hovertemplate=hover))
    for run, (name, bins) in enumerate(zip(names, entry['policies'], strict=True)):
        line = dict(color=colour(run), dash='dash')
        title = f'{name}: policy over the static mixture'
        figure.add_trace(binned(bins, title, line=line, hovertemplate=hover))
    titles = dict(xaxis_title=entry['label'], yaxis_title='benefit, points')
    figure.update_layout(**BELOW, **titles)
    return figure.update_xaxes(type='log' if entry['log'] else 'linear')
