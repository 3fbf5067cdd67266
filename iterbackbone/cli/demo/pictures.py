"""Pictures: each drawn beside its cost; of several also a contact sheet and tables."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from ...files import whole_file, write_together
from .panel import Cost, Window, caption, hints, printable, with_panel
from .sources import read_picture

THUMBNAIL = (240, 180)
MOST = 120  # thumbnails of a contact sheet


class Seen(NamedTuple):
    """One picture's file, cost, number of boxes (None: not of a detector) and thumbnail."""

    path: Path
    cost: Cost
    boxes: int | None
    thumbnail: Image.Image


def run_pictures(
    paths: Sequence[Path], predictor: Any, out: Path, window: Window | None
) -> Iterator[str]:
    """Draw each picture into ``out``; yields lines for the terminal.

    The predictor has ``predict(bgr)`` and ``draw(bgr, prediction)``. ValueError: none can be read.
    """
    targets = _targets(paths, out)
    seen, warm = [], False
    for path in tqdm(paths, unit='picture', delay=2, file=sys.stderr):
        try:
            picture = read_picture(path)
        except ValueError as error:
            yield f'skipped: {error}'
            continue
        if not warm:  # a first pass also loads and plans
            predictor.predict(picture)
            warm = True
        prediction = predictor.predict(picture)
        drawn = predictor.draw(picture, prediction)
        whole = with_panel(drawn, prediction.cost)
        with whole_file(targets[path]) as file:
            whole.save(file, 'PNG')
        thumbnail = Image.fromarray(drawn)
        scale = min(most / side for most, side in zip(THUMBNAIL, thumbnail.size, strict=True))
        thumbnail = thumbnail.resize([max(1, round(side * scale)) for side in thumbnail.size])
        seen.append(Seen(path, prediction.cost, prediction.boxes, thumbnail))
        if window and not window.show(np.asarray(whole), 0):
            break
    if not seen:
        raise ValueError('none of the pictures can be read')
    yield from _summary(seen, targets, out)


def _targets(paths: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Where each picture is drawn to: its own name, numbered where several share it."""
    targets: dict[Path, Path] = {}
    taken: set[Path] = set()
    numbers: dict[str, int] = {}  # the last one of each name
    for path in paths:
        target, number = out / f'{path.stem}.png', numbers.get(path.stem, 1)
        while target in taken:
            number += 1
            target = out / f'{path.stem}_{number}.png'
        targets[path], numbers[path.stem] = target, number
        taken.add(target)
    return targets


def _summary(seen: list[Seen], targets: dict[Path, Path], out: Path) -> Iterator[str]:
    ordered = sorted(seen, key=lambda each: each.cost.share)
    if len(seen) > 1:
        _write_tables(ordered, targets, out)
    for each in ordered if len(ordered) <= 2 else (ordered[0], ordered[-1]):
        cost = each.cost
        iterations = ' / '.join(f'{n:.3g}' for n in cost.iterations)
        yield (
            f'{each.path.name}: {iterations} of {" / ".join(map(str, cost.limits))} iterations, '
            f'{cost.share:.1%} of the adaptive MACs, {cost.ms:.0f} ms -> {targets[each.path]}'
        )
    if all(each.boxes == 0 for each in seen):
        yield 'no box is drawn: all scores are below --score'
    yield from hints([each.cost.share for each in seen])
    if len(seen) == 1:
        return
    shares = [each.cost.share for each in ordered]
    yield f'{len(seen)} pictures: {np.mean(shares):.1%} of the adaptive MACs on average'
    yield f'contact sheet: {out}/contact_sheet.jpg, tables: {out}/demo.csv, {out}/demo.json'


def _write_tables(ordered: list[Seen], targets: dict[Path, Path], out: Path) -> None:
    rows = [_row(each, targets[each.path]) for each in ordered]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    sheet = io.BytesIO()
    contact_sheet(ordered).save(sheet, 'JPEG', quality=88)
    tables = {'demo.csv': table.getvalue(), 'demo.json': json.dumps(rows, indent=1) + '\n'}
    contents = {name: printable(text).encode() for name, text in tables.items()}
    write_together(out, {**contents, 'contact_sheet.jpg': sheet.getvalue()})


def _row(each: Seen, drawn: Path) -> dict[str, Any]:
    cost = each.cost
    stages = {f'iterations_stage{k}': n for k, n in enumerate(cost.iterations)}
    macs = {'macs': cost.macs, 'macs_full': cost.macs_full, 'share': round(cost.share, 4)}
    rest = {'ms': round(cost.ms, 2), 'boxes': each.boxes}
    return {'picture': str(each.path), 'drawn': drawn.name, **stages, **macs, **rest}


def contact_sheet(ordered: Sequence[Seen]) -> Image.Image:
    """Thumbnails from cheapest to dearest, row by row; of more than MOST an even choice."""
    step = max(1.0, len(ordered) / MOST)
    chosen = [ordered[int(i * step)] for i in range(min(len(ordered), MOST))]
    chosen[-1] = ordered[-1]
    columns = min(len(chosen), max(3, round(len(chosen) ** 0.5 * 1.2)))
    width, height, gap, size = *THUMBNAIL, 8, 13
    rows = -(-len(chosen) // columns)
    cell = (width + gap, height + round(size * 1.6) + gap)
    sheet = Image.new('RGB', (columns * cell[0] + gap, rows * cell[1] + gap), 'white')
    for k, each in enumerate(chosen):
        box = Image.new('RGB', (width, height), '#f4f4f4')
        thumbnail = each.thumbnail
        box.paste(thumbnail, ((width - thumbnail.width) // 2, (height - thumbnail.height) // 2))
        iterations = '/'.join(f'{n:.2g}' for n in each.cost.iterations)
        text = f'{each.cost.share:.0%}  {iterations}  {printable(each.path.name)}'
        place = (gap + k % columns * cell[0], gap + k // columns * cell[1])
        sheet.paste(caption(box, text, size), place)
    return sheet
