"""The report: one HTML file that needs no network."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from functools import cache
from itertools import chain, islice
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ..stats.association import Association
from ..text import all_printable
from .charts import MAX_POINTS, charts
from .evaluation import Evaluation, brief
from .gain_charts import gain_charts
from .gain_panel import MeasuredGains
from .image_files import Folders
from .measures import error_sentence, probability, short
from .pictures import class_ends, data_uri, embedded_maps, evenly, image_path, overlays, thumbnail_of
from .style import colour
from .tables import gain_rows, percent, side_by_side

GALLERY = 12  # images, or classes, of a gallery
MAX_CLASSES = 2000  # rows of a table; summary.json has all
MAX_PICTURES = 500  # of all evaluations: with plotly's 5 MB and the points' text about 15 MB
QUALITY = 60

Pictures = dict[int, dict[str, Any]]  # by the record's number


def render(
    evaluations: list[Evaluation],
    summaries: list[dict[str, Any]],
    image_root: Folders,
    score_threshold: float,
    measured: MeasuredGains | None = None,
) -> str:
    """The page of evaluations and their summaries; arguments as of ``analyze``."""
    number, most = (total // len(evaluations) for total in (MAX_PICTURES, MAX_POINTS))
    pictures = [embed(e, image_root, score_threshold, number) for e in evaluations]
    shown = list(zip(evaluations, pictures, strict=True))
    figures = {**(gain_charts(measured) if measured else {}), **charts(evaluations, summaries)}
    macs = sorted((summary['macs']['mean'], run) for run, summary in enumerate(summaries))
    data = {
        'charts': {name: json.loads(figure.to_json()) for name, figure in figures.items()},
        'runs': [details(*run, most=most) for run in shown],
        'order': [  # of the slider
            {'run': run, 'label': f'{summaries[run]["name"]}, {mean / 1e9:.3g} GMAC'}
            for mean, run in macs
        ],
    }
    template = _environment().get_template('report.html')
    return template.render(
        summaries=summaries,
        header=side_by_side(summaries),
        colours=[colour(i) for i in range(len(summaries))],
        charts=set(figures),
        measured=measured,
        gains=gain_rows(measured) if measured else [],
        galleries=[_galleries(*run) for run in shown],
        notes=[note for run in shown for note in _notes(*run, most, image_root)],
        class_rows=[_most_shown(summary['classes']) for summary in summaries],
        tasks={str(evaluation.meta.get('task')) for evaluation in evaluations},
        rois=any(summary['rois'] for summary in summaries),
        score_threshold=score_threshold,
        data=htmlsafe_json_dumps(all_printable(data), allow_nan=False, separators=(',', ':')),
        plotly=Markup(get_plotlyjs()),
    )


def embed(evaluation: Evaluation, image_root: Folders, score_threshold: float, most: int) -> Pictures:
    """Pictures of ``most`` records that have one, evenly over the ranking, and of the galleries'.

    Each has a ``thumbnail`` (a URI), ``boxes`` to draw on it and, of a segmented image, its
    ``maps`` and their ``legend``.
    """

    @cache  # looking for 50,000 files takes seconds, on a network's disk minutes
    def is_there(i: int) -> bool:
        path = image_path(evaluation, i, image_root)
        return path is not None and os.path.isfile(path)  # without an error for long names

    ranked = evaluation.ranking
    ends = [i for order in (ranked, ranked[::-1]) for i in islice(filter(is_there, order), GALLERY)]
    easiest, hardest = class_ends(evaluation, GALLERY)
    # Ever more of them, as some may be missing.
    steps = (evenly(ranked, most << k) for k in range(len(ranked).bit_length() + 1))
    spread = filter(is_there, dict.fromkeys(chain.from_iterable(steps)))
    found = {}
    for i in dict.fromkeys([*ends, *easiest, *hardest, *islice(spread, most)]):
        picture = thumbnail_of(evaluation, i, image_root)
        if picture is not None:
            found[i] = {
                'thumbnail': data_uri(picture, 'webp', quality=QUALITY, method=2),
                'boxes': overlays(evaluation, i, score_threshold),
                **embedded_maps(evaluation, i),
            }
    return found


def details(evaluation: Evaluation, pictures: Pictures, most: int) -> Pictures:
    """What hovering and clicking show of each record: those drawn and those with a picture."""
    classified = evaluation.meta.get('task') == 'classification'
    found = {}
    for i in dict.fromkeys([*evenly(evaluation.ranking, most), *pictures]):
        record, wrong = evaluation.records[i], evaluation.errors[i]
        found[i] = {
            'id': str(record.get('img_id')),
            'path': record.get('img_path'),
            'size': [record.get('width'), record.get('height')],
            'iterations': record['iterations'],
            'total': record['total_iterations'],
            'gmacs': record['macs'] / 1e9,
            'share': record['macs'] / record['macs_full'] if record['macs_full'] else None,
            'objects': record.get('num_objects'),
            'relative': record.get('mean_relative_area'),
            'outcome': evaluation.outcome(i),
            'error': None if classified or not np.isfinite(wrong) else float(wrong),
            **pictures.get(i, {}),
        }
    return found


def _galleries(evaluation: Evaluation, pictures: Pictures) -> list[tuple[str, list[int]]]:
    ranked = [i for i in evaluation.ranking if i in pictures]
    ends = min(GALLERY, (len(ranked) + 1) // 2)
    found = [('Fewest iterations', ranked[:ends]), ('Most iterations', ranked[::-1][:ends])]
    if evaluation.meta.get('task') == 'classification':
        titles = ('Fewest iterations of each class', 'Most iterations of each class')
        for title, images in zip(titles, class_ends(evaluation, GALLERY), strict=True):
            found.append((title, [i for i in images if i in pictures]))
    return found


def _most_shown(classes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of at most ``MAX_CLASSES``, by name."""
    most = sorted(classes, key=lambda row: -row['num_images'])[:MAX_CLASSES]
    return sorted(most, key=lambda row: row['name'])


def _notes(evaluation: Evaluation, pictures: Pictures, most: int, image_root: Folders) -> list[str]:
    count = len(evaluation.records)
    notes = [f'{evaluation.name}: pictures of {len(pictures)} of {count} images are in this file.']
    if count > most:
        notes.append(f'{most} of its images are drawn as points, evenly over the ranking.')
    for i, record in enumerate(evaluation.records[:100]):
        path = record.get('img_path')
        if path and image_path(evaluation, i, image_root) is None:
            notes.append(
                f'Images outside the image root are not drawn, such as {brief(path, 200)}: '
                'name their folder by --image-root.'
            )
            break
    return notes


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=_shown,
    )
    environment.filters |= dict(percent=percent, probability=probability, error_sentence=error_sentence)
    environment.filters |= dict(sha256=_sha256, correlation=lambda entry: short(Association(**entry)))
    return environment


def _shown(value: Any) -> Any:
    if value is None:
        return 'n/a'
    return value if isinstance(value, Markup) else all_printable(value)


def _sha256(script: str) -> Markup:
    """As the page's content policy names a script that may run."""
    return Markup(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'")
