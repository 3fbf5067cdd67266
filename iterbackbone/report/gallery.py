"""Contact sheets of the easiest and hardest images (the paper's Figure 5, Tables 4 and 7)."""

from __future__ import annotations

from itertools import islice
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .evaluation import Evaluation
from .image_files import Folders
from .pictures import coloured, label_maps, overlays, ranking, thumbnail_of
from .style import literal

COLUMNS, ROWS = 4, 2
IMAGES = COLUMNS * ROWS
STYLES: dict[str, dict[str, Any]] = {
    'true': dict(edgecolor='#009E73', linewidth=1.6),
    'difficult': dict(edgecolor='#777777', linewidth=1.0, linestyle=':'),
    'predicted': dict(edgecolor='#E69F00', linewidth=1.2, linestyle='--'),
}


def contact_sheets(
    evaluation: Evaluation, image_root: Folders, score_threshold: float
) -> dict[str, Figure]:
    """``easiest`` and ``hardest``; empty where none of the images can be read."""
    ranked = ranking(evaluation)
    sheets = {}
    for name, order in {'easiest': ranked, 'hardest': ranked[::-1]}.items():
        tried = ((i, thumbnail_of(evaluation, i, image_root)) for i in order[: 10 * IMAGES])
        images = dict(islice((pair for pair in tried if pair[1] is not None), IMAGES))
        if images:
            sheets[name] = _sheet(evaluation, images, score_threshold)
    return sheets


def _sheet(evaluation: Evaluation, images: dict[int, Any], score_threshold: float) -> Figure:
    """Pictures with their boxes; below each its label maps where it has some."""
    maps = {i: label_maps(evaluation, i) for i in images}
    kinds = sorted({kind for found in maps.values() for kind in found}, reverse=True)
    rows = ROWS * (1 + len(kinds))
    figure = Figure(figsize=(3 * COLUMNS, 2.5 * rows), layout='constrained', dpi=120)
    panels = figure.subplots(rows, COLUMNS)
    for axes in panels.ravel():
        axes.axis('off')
    for n, (i, picture) in enumerate(images.items()):
        column = panels[n // COLUMNS * (1 + len(kinds)) :, n % COLUMNS]
        column[0].imshow(picture)
        column[0].set_title(_caption(evaluation, i), fontsize=9)
        _draw(column[0], picture.size, overlays(evaluation, i, score_threshold))
        for axes, kind in zip(column[1:], kinds, strict=False):
            if kind in maps[i]:
                axes.imshow(coloured(evaluation, maps[i][kind]))
                axes.set_title(kind, fontsize=8)
    return figure


def _caption(evaluation: Evaluation, i: int) -> str:
    record = evaluation.records[i]
    objects, words = record.get('num_objects'), evaluation.outcome(i)
    shown = '' if objects is None else f', {objects} object' + ('s' if objects != 1 else '')
    shown += '' if words is None else '\n' + literal(words)
    return f'{record["total_iterations"]:.3g} iterations{shown}'


def _draw(axes: Axes, size: tuple[int, int], boxes: dict[str, list[dict[str, Any]]]) -> None:
    for kind, style in STYLES.items():
        for entry in boxes.get(kind, []):
            left, top, right, bottom = (s * n for s, n in zip(entry['box'], 2 * size, strict=True))
            axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, **style))
