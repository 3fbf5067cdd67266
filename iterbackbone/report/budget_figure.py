"""Score and time of one checkpoint against the share of the MACs, with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from .style import GREY, colour, literal


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
