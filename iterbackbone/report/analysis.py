"""From evaluation folders to the files a person opens."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
from matplotlib.figure import Figure

from ..files import write_together
from .evaluation import Evaluation
from .figures import contact_sheets, figures, gain_figure
from .gain_panel import MeasuredGains
from .image_files import Folders
from .page import render
from .summary import summarise
from .tables import markdown, write_csv

MANIFEST = 'files.json'  # which files of the folder a report wrote: only those may a later one remove


def analyze(
    evaluations: list[Evaluation],
    out: Path,
    image_root: Folders,
    score_threshold: float,
    measured: MeasuredGains | None = None,
) -> list[dict[str, Any]]:
    """Write ``report.html``, the figures as PNG, ``summary.json``, ``summary.md``, ``records.csv``.

    All of them, or none: an earlier report stays whole where the disk is full. ``files.json`` says
    which files these are; what an earlier report wrote beside them is removed. With measured
    gains there are ``gain.png`` and ``gain.json``, too, which ``--other-seeds`` takes.

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
    if measured is not None:
        pictures['gain.png'] = gain_figure(measured)
    for run, evaluation in enumerate(evaluations, start=1):
        prefix = f'{run}_{_file_name(evaluation.name)}_' if len(evaluations) > 1 else ''
        for name, figure in contact_sheets(evaluation, image_root, score_threshold).items():
            pictures[f'{prefix}{name}.png'] = figure
    table = io.StringIO()
    write_csv(evaluations, table)
    texts = {
        'records.csv': table.getvalue(),
        'summary.json': json.dumps(summaries, indent=2, allow_nan=False) + '\n',
        'summary.md': markdown(summaries, measured),
        'report.html': render(evaluations, summaries, image_root, score_threshold, measured),
    }
    if measured is not None:
        texts['gain.json'] = json.dumps(asdict(measured), indent=2, allow_nan=False) + '\n'
    contents = {name: _png(figure) for name, figure in pictures.items()}
    contents |= {name: text.encode(errors='backslashreplace') for name, text in texts.items()}
    stale = [path for path in earlier_files(out) if path.name not in contents]
    write_together(out, {MANIFEST: manifest(contents), **contents})
    for path in stale:
        path.unlink()
    return summaries


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png')
    return buffer.getvalue()


def _file_name(text: str) -> str:
    return re.sub(r'[^A-Za-z0-9.-]+', '-', text).strip('-.')[:60] or 'evaluation'


def manifest(contents: Mapping[str, bytes]) -> bytes:
    """JSON of the files' names and SHA-256 sums."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return json.dumps(sums, indent=2).encode()


def earlier_files(folder: Path) -> list[Path]:
    """Files that the folder's manifest names and nobody changed since; none without a manifest.

    Somebody may have written other figures under such a name, as ``measure_gain.py --out`` does.
    """
    try:
        sums = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=dict[str, str])
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
        return []
    own = [path for path in folder.iterdir() if path.name in sums and path.is_file()]
    return [path for path in own if hashlib.sha256(path.read_bytes()).hexdigest() == sums[path.name]]
