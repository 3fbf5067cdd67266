"""Charts of the panel "Does adapting pay?", as plotly figures."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..stats.gain_verdict import amount
from .charts import binned
from .gain_panel import MeasuredGains
from .style import GREY, LAYOUT, colour, safe

BELOW = {**LAYOUT, 'legend_y': -0.3, 'legend_yanchor': 'top'}  # a legend of many lines


def gain_charts(measured: MeasuredGains) -> dict[str, go.Figure]:
    """Figures by the id of their place in the page."""
    names = measured.policies
    found = {f'gain_{entry["field"]}': by_measure(entry, names) for entry in measured.by_measure}
    return {'gain': frontier(measured), **found}


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
    """Iterations above, benefit below, both against a measure of the image."""
    lines = [(2, 'full depth over the cheapest budget', entry['depth'], dict(color=GREY))]
    for run, (name, policy) in enumerate(zip(names, entry['policies'], strict=True)):
        line = dict(color=colour(run))
        lines.append((1, f'{name}: iterations', policy['iterations'], line))
        benefit = f'{name}: policy over the static mixture', policy['benefit']
        lines.append((2, *benefit, dict(line, dash='dash')))
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    for row, name, bins, line in lines:
        trace = binned(bins, name, line=line, hovertemplate='%{y:.2f}<extra></extra>')
        figure.add_trace(trace, row=row, col=1)
    figure.update_layout(**BELOW, yaxis_title='iterations', yaxis2_title='benefit, points')
    figure.update_xaxes(type='log' if entry['log'] else 'linear')
    return figure.update_xaxes(title=entry['label'], row=2)
