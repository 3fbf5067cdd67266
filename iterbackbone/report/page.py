"""The report: one HTML file that needs no network."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ..stats.association import Association
from ..text import all_printable
from .charts import charts
from .embedding import MAX_PICTURES, MAX_POINTS, details, embed
from .evaluation import Evaluation, brief
from .gain_charts import gain_charts
from .gain_panel import GainPanel
from .image_files import Folders
from .pictures import class_ends, image_path, ranking
from .style import GALLERY, colour
from .tables import gain_rows, percent, side_by_side
from .wording import error_sentence, probability, short


def render(
    evaluations: list[Evaluation],
    summaries: list[dict[str, Any]],
    image_root: Folders,
    score_threshold: float,
    panel: GainPanel | None = None,
) -> str:
    """The page of evaluations and their summaries; arguments as of ``analyze``."""
    number = MAX_PICTURES // len(evaluations)
    pictures = [embed(e, image_root, score_threshold, number) for e in evaluations]
    shown = list(zip(evaluations, pictures, strict=True))
    most = MAX_POINTS // len(evaluations)
    figures = {**(gain_charts(panel) if panel else {}), **charts(evaluations, summaries)}
    data = {
        'charts': {name: json.loads(figure.to_json()) for name, figure in figures.items()},
        'runs': [details(*run, most=most) for run in shown],
        'order': _order(summaries),
    }
    scripts = {'plotly': get_plotlyjs(), 'script': _file('report.js')}
    return (
        _environment()
        .from_string(_file('report.html'))
        .render(
            summaries=summaries,
            header=side_by_side(summaries),
            colours=[colour(i) for i in range(len(summaries))],
            charts=set(figures),
            panel=panel,
            gains=gain_rows(panel.measured) if panel else [],
            galleries=[_galleries(*run) for run in shown],
            notes=[note for run in shown for note in _notes(*run, most, image_root)],
            tasks={str(evaluation.meta.get('task')) for evaluation in evaluations},
            rois=any(summary['rois'] for summary in summaries),
            score_threshold=score_threshold,
            data=htmlsafe_json_dumps(all_printable(data), allow_nan=False, separators=(',', ':')),
            css=Markup(_file('report.css')),
            script_hashes=Markup(' '.join(_hash(text) for text in scripts.values())),
            **{name: Markup(text) for name, text in scripts.items()},
        )
    )


def _order(summaries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The runs from least to most compute, and what the slider says of each."""
    runs = [(summary['macs']['mean'], k, summary['name']) for k, summary in enumerate(summaries)]
    return [{'run': k, 'label': f'{name}, {mean / 1e9:.3g} GMAC'} for mean, k, name in sorted(runs)]


def _galleries(evaluation: Evaluation, pictures: dict[int, Any]) -> list[tuple[str, list[int]]]:
    ranked = [i for i in ranking(evaluation) if i in pictures]
    ends = min(GALLERY, (len(ranked) + 1) // 2)
    found = [('Fewest iterations', ranked[:ends]), ('Most iterations', ranked[::-1][:ends])]
    if evaluation.meta.get('task') == 'classification':
        titles = ('Fewest iterations of each class', 'Most iterations of each class')
        for title, images in zip(titles, class_ends(evaluation, GALLERY), strict=True):
            found.append((title, [i for i in images if i in pictures]))
    return found


def _notes(
    evaluation: Evaluation, pictures: dict[int, Any], most: int, image_root: Folders
) -> list[str]:
    count = len(evaluation.records)
    notes = [f'{evaluation.name}: pictures of {len(pictures)} of {count} images are in this file.']
    if count > most:
        notes.append(f'{most} of its images are drawn as points, evenly over the ranking.')
    for i, record in enumerate(evaluation.records[:100]):
        path = record.get('img_path')
        if path and image_path(evaluation, i, image_root) is None:
            return [
                *notes,
                f'Images outside the image root are not drawn, such as {brief(path, 200)}: '
                'name their folder by --image-root.',
            ]
    return notes


def _environment() -> Environment:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=_shown
    )
    environment.filters |= dict(percent=percent, probability=probability, error_sentence=error_sentence)
    environment.filters['correlation'] = lambda entry: short(Association(**entry))
    return environment


def _shown(value: Any) -> Any:
    if value is None:
        return 'n/a'
    return value if isinstance(value, Markup) else all_printable(value)


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _file(name: str) -> str:
    return (files(__package__) / 'templates' / name).read_text(encoding='utf-8')
