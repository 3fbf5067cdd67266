"""What a person and a visualizer get to see after an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from ...report.evaluation import Evaluation, load_evaluation, load_evaluations
from ...report.figures import figure6, gain_figure
from ...report.gain_measurement import measure_evaluations
from ...report.measures import COUNT, SIZE, short
from ...report.summary import relations
from ...stats.association import Association, associate

RELATIONS = {COUNT.field: 'objects', SIZE.field: 'size', 'error': 'error'}  # as the line calls them


class LogSummary(NamedTuple):
    """One evaluation in short."""

    line: str  # for the console
    scalars: dict[str, float]  # by name, for a visualizer; those that are undefined are left out
    # Iterations against number and size of objects (the paper's Figure 6), or the panel "Does adapting
    # pay?", (H, W, 3) uint8; None without annotations.
    picture: np.ndarray | None


def summarise_log(folder: Path) -> LogSummary:
    """Read a complete evaluation's folder; an empty one gives a line that says so."""
    try:
        evaluation = load_evaluation(folder, read_predictions=False)
    except ValueError as error:
        return LogSummary(f'iterations: {error}', {}, None)
    measures = [m for m in (COUNT, SIZE) if np.isfinite(evaluation.column(m.field)).any()]
    related = relations(evaluation, measures)
    found = {e['field']: Association(**e['spearman']) for e in related['associations']}
    scalars = _compute(evaluation)
    if evaluation.meta.get('task') == 'classification':  # other errors need the predictions
        errors, total = evaluation.errors, evaluation.column('total_iterations')
        if np.isfinite(errors).any():
            found['error'] = associate(errors, total, names=('error', 'number of iterations'))
    for field, name in RELATIONS.items():
        if field in found and found[field].coefficient is not None:
            scalars[f'rho_{name}'] = found[field].coefficient
    picture = None
    if measures:
        picture = _pixels(figure6([evaluation], [{'name': evaluation.name, **related}]))
    return LogSummary(_line(evaluation, scalars, found), scalars, picture)


def summarise_gain(policy: Path, menu: Sequence[Path]) -> LogSummary:
    """The panel "Does adapting pay?"; ValueError where these evaluations show no gain."""
    found = load_evaluations([policy, *menu], [policy.name, *(folder.name for folder in menu)])
    measured = measure_evaluations(found[:1], found[1:])
    gain = measured.gains[0]
    scalars = {'gain': gain.value, 'gain_low': gain.low, 'gain_high': gain.high}
    return LogSummary(f'{measured.verdict} {policy.parent}', scalars, _pixels(gain_figure(measured)))


def _compute(evaluation: Evaluation) -> dict[str, float]:
    means = evaluation.iterations.mean(axis=0).tolist()
    macs, full = evaluation.column('macs').mean(), evaluation.column('macs_full').mean()
    return {  # names that no training scalar has: mmdet's analyze_logs.py drops what is before a slash
        **{f'mean_iterations_stage{k}': mean for k, mean in enumerate(means)},
        'gmacs': macs / 1e9,
        'share_of_full': macs / full if full else 0.0,
    }


def _line(evaluation: Evaluation, scalars: dict[str, float], found: dict[str, Association]) -> str:
    """Such as ``iterations 2.1/5.3/14.0/2.0 of 3/8/36/3, 4.90 GMAC (43% of full), rho(...)``."""
    means = '/'.join(f'{mean:.1f}' for mean in evaluation.iterations.mean(axis=0))
    full = '/'.join(map(str, evaluation.stage_limits))
    counted = 'backbone and RoI head' if 'num_rois' in evaluation.records[0] else 'backbone'
    parts = [
        f'iterations {means} of {full}',
        f'{counted} {scalars["gmacs"]:.3g} GMAC ({scalars["share_of_full"]:.0%} of full)',
    ]
    for field, name in RELATIONS.items():
        if field in found:
            parts.append(f'rho({name}) {short(found[field])}')
    return ', '.join([*parts, str(evaluation.folder)])


def _pixels(figure: Any) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
