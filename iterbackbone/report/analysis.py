"""From evaluation folders to the files a person opens."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..files import write_together
from .evaluation import Evaluation
from .figures import contact_sheets, figures, gain_figure
from .gain_panel import GainPanel
from .image_files import Folders
from .page import render
from .summary import summarise
from .tables import markdown, write_csv


def analyze(
    evaluations: list[Evaluation],
    out: Path,
    image_root: Folders,
    score_threshold: float,
    panel: GainPanel | None = None,
) -> list[dict[str, Any]]:
    """Write ``report.html``, the figures as PNG, ``summary.json``, ``summary.md``, ``records.csv``.

    All of them, or none: an earlier report stays whole where the disk is full. With a panel, whether
    adapting pays, there are ``gain.png`` and ``gain.json``, too, which ``--other-seeds`` takes.

    Args:
        evaluations: One, or several to show side by side.
        out: Folder for the files, made if absent; files of the same names are replaced.
        image_root: Folders that images may lie in; relative paths in the log are of the first.
        score_threshold: Lowest score of predicted boxes that are drawn.

    Returns:
        The summaries, one an evaluation.

    Raises:
        OSError: ``out`` cannot be written to.
    """
    summaries = [summarise(evaluation) for evaluation in evaluations]
    pictures = {f'{name}.png': figure for name, figure in figures(evaluations, summaries).items()}
    if panel is not None:
        pictures['gain.png'] = gain_figure(panel)
    for run, evaluation in enumerate(evaluations, start=1):
        prefix = f'{run}_{_file_name(evaluation.name)}_' if len(evaluations) > 1 else ''
        for name, figure in contact_sheets(evaluation, image_root, score_threshold).items():
            pictures[f'{prefix}{name}.png'] = figure
    table = io.StringIO()
    write_csv(evaluations, table)
    texts = {
        'records.csv': table.getvalue(),
        'summary.json': json.dumps(summaries, indent=2, allow_nan=False) + '\n',
        'summary.md': markdown(summaries, panel),
        'report.html': render(evaluations, summaries, image_root, score_threshold, panel),
    }
    if panel is not None:
        texts['gain.json'] = json.dumps(panel.as_json(), indent=2, allow_nan=False) + '\n'
    contents = {name: _png(figure) for name, figure in pictures.items()}
    contents |= {name: text.encode(errors='backslashreplace') for name, text in texts.items()}
    write_together(out, contents)
    return summaries


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png')
    return buffer.getvalue()


def _file_name(text: str) -> str:
    return re.sub(r'[^A-Za-z0-9.-]+', '-', text).strip('-.')[:60] or 'evaluation'
