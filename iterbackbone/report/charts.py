"""Charts of one or several evaluations, as plotly figures; :mod:`.figures` prints them.

A trace's ``legendgroup`` is the number of its run: the page's slider shows one run at a time.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .evaluation import Evaluation
from .measures import COUNT, SIZE, Measure, main_score
from .pictures import evenly
from .style import LAYOUT, MIN_IMAGES, colour, jittered, safe, symbol

MAX_POINTS = 3000  # of all evaluations; more slow a browser down and hide each other


def charts(evaluations: list[Evaluation], summaries: list[dict[str, Any]]) -> dict[str, go.Figure]:
    """Figures by the id of their place in the page; those without data are left out."""
    found = {
        'figure6a': scatter(evaluations, summaries, COUNT),
        'figure6b': scatter(evaluations, summaries, SIZE),
        'stages': stages(summaries),
        'figure4': errors(summaries),
        'tradeoff': tradeoff(summaries),
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
        chosen = evenly(evaluation.ranking, MAX_POINTS // len(summaries))
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
    names = dict.fromkeys(error['name'] for _, error in known)
    titles = dict(xaxis_title='iterations per image', yaxis_title=' or '.join(names))
    figure.update_layout(**LAYOUT, **titles, yaxis_range=[0, 1])
    figure.update_xaxes(tickformat='~r', nticks=12)
    return figure


def tradeoff(summaries: list[dict[str, Any]]) -> go.Figure:
    """Score against MACs, one point an evaluation; empty where there are not several."""
    score = main_score([summary['score'] for summary in summaries])
    figure = go.Figure()
    if len(summaries) < 2 or score is None:
        return figure
    for run, summary in enumerate(summaries):
        figure.add_scatter(
            x=[summary['macs']['mean'] / 1e9],
            y=[summary['score'][score]],
            name=safe(summary['name']),
            legendgroup=str(run),
            mode='markers',
            marker=dict(color=colour(run), size=14),
            hovertemplate='%{x:.2f} GMAC, %{y:.3f}<extra></extra>',
        )
    titles = dict(xaxis_title='adaptive GMAC per image', yaxis_title=safe(score))
    return figure.update_layout(**LAYOUT, **titles)
