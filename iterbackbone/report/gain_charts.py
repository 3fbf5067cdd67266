"""Interactive charts of the panel "Does adapting pay?"."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..stats.gain_verdict import amount
from .charts import binned
from .gain_panel import GainPanel, MeasuredGains
from .style import GREY, LAYOUT, colour, safe

BELOW = {**LAYOUT, 'legend_y': -0.3, 'legend_yanchor': 'top'}  # its legend


def gain_charts(panel: GainPanel) -> dict[str, go.Figure]:
    """Figures by the id of their place in the page."""
    found = {'gain': frontier(panel.measured)}
    for entry in panel.by_measure:
        found[f'gain_{entry["field"]}'] = by_measure(entry, panel.measured.policies)
    return found


def frontier(measured: MeasuredGains) -> go.Figure:
    """Score against MACs: static budgets, their envelope, policies and their shuffled depths."""
    figure = go.Figure()
    menu = sorted(measured.menu, key=lambda budget: budget.cost)
    _add(
        figure, 'static budgets', menu, mode='markers', marker=dict(color=GREY, size=9, symbol='square')
    )
    corners = [budget for budget in menu if budget.vertex]
    _add(figure, 'best static mixtures', corners, mode='lines', line=dict(color=GREY, width=2))
    several = len(measured.policies) > 1
    for run, (name, gain) in enumerate(zip(measured.policies, measured.gains, strict=True)):
        prefix = f'{name}: ' if several else ''
        x, shuffled = [100 * gain.share], gain.shuffled
        value = amount(gain.value, measured.unit)
        if shuffled is not None:
            figure.add_scatter(
                x=x * 2,
                y=[shuffled.low, shuffled.high],
                mode='lines',
                name=safe(f'{prefix}its depths on other images, 95%'),
                line=dict(color=colour(run), width=14),
                opacity=0.3,
                hovertemplate='shuffled depths: %{y:.4g}<extra></extra>',
            )
        figure.add_scatter(
            x=x,
            y=[gain.score],
            error_y=dict(
                arrayminus=[max(0, gain.value - gain.low)], array=[max(0, gain.high - gain.value)]
            ),
            mode='markers',
            name=safe(f'{prefix}policy, 95% interval of its gain'),
            marker=dict(color=colour(run), size=11),
            hovertemplate=f'%{{x:.1f}}% of the MACs, %{{y:.4g}}, gain {value}<extra></extra>',
        )
    figure.update_layout(
        **BELOW, xaxis_title="% of full depth's MACs", yaxis_title=safe(measured.score)
    )
    return figure


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
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    _add_bins(figure, 2, 'full depth over the cheapest budget', entry['depth'], GREY)
    for run, (name, policy) in enumerate(zip(names, entry['policies'], strict=True)):
        _add_bins(figure, 1, f'{name}: iterations', policy['iterations'], colour(run))
        _add_bins(
            figure, 2, f'{name}: policy over the static mixture', policy['benefit'], colour(run), 'dash'
        )
    figure.update_layout(**BELOW)
    figure.update_xaxes(type='log' if entry['log'] else 'linear')
    figure.update_xaxes(title=entry['label'], row=2)
    figure.update_yaxes(title='iterations', row=1)
    figure.update_yaxes(title='benefit, points', row=2)
    return figure


def _add_bins(
    figure: go.Figure, row: int, name: str, bins: list[dict[str, Any]], shade: str, dash: str = 'solid'
) -> None:
    line = dict(color=shade, dash=dash)
    trace = binned(bins, name, line=line, hovertemplate='%{y:.2f}<extra></extra>')
    figure.add_trace(trace, row=row, col=1)
