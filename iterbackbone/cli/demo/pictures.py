"""Pictures: each drawn beside its cost; of several also a contact sheet and tables."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps
from tqdm import tqdm

from ...files import whole_file, write_together
from .panel import HINT, INK, Prediction, shown, with_panel
from .sources import read_picture

THUMBNAIL, GAP, LINE = (240, 180), 8, 21  # pixels of a contact sheet
MOST = 120  # thumbnails of a contact sheet
LETTERS = Path(matplotlib.get_data_path(), 'fonts/ttf/DejaVuSans.ttf')  # Pillow's font: ASCII only


class Seen(NamedTuple):
    """One picture's files, what was found and what it cost, and its thumbnail."""

    path: Path
    drawn: Path
    cost: Prediction
    thumbnail: Image.Image


def run_pictures(paths: Sequence[Path], predictor: Any, out: Path, show: bool) -> Iterator[str]:
    """Draw each picture into ``out``; yields lines for the terminal. ValueError: none can be read."""
    stems = [path.stem for path in paths]
    if len(set(stems)) < len(stems):
        stems = [f'{number}_{stem}' for number, stem in enumerate(stems, 1)]
    seen: list[Seen] = []
    for path, stem in zip(tqdm(paths, unit='picture', delay=2, file=sys.stderr), stems, strict=True):
        try:
            picture = read_picture(path)
        except (OSError, ValueError) as error:
            if path is paths[-1] and not seen:  # none can be read
                raise
            yield f'skipped: {error}'
            continue
        if not seen:  # a first pass also loads and plans
            predictor.predict(picture)
            out.mkdir(parents=True, exist_ok=True)
        prediction = predictor.predict(picture)
        drawn = predictor.draw(picture, prediction)
        whole = with_panel(drawn, prediction)
        target = out / f'{stem}.png'
        with whole_file(target) as file:
            whole.save(file, 'PNG')
        thumbnail = ImageOps.pad(Image.fromarray(drawn), THUMBNAIL, color='#f4f4f4')
        seen.append(Seen(path, target, prediction, thumbnail))
        if show and not shown(np.asarray(whole), 0):
            break
    yield from _summary(sorted(seen, key=lambda each: each.cost.share), out)


def _summary(ordered: list[Seen], out: Path) -> Iterator[str]:
    if len(ordered) > 1:  # first: nobody may read the lines to their end
        _write_tables(ordered, out)
    for each in dict.fromkeys((0, len(ordered) - 1)):
        path, drawn, cost, _ = ordered[each]
        iterations = ' / '.join(f'{n:.3g}' for n in cost.iterations)
        yield (
            f'{path.name}: {iterations} of {" / ".join(map(str, cost.limits))} iterations, '
            f'{cost.share:.1%} of the adaptive MACs, {cost.ms:.0f} ms -> {drawn}'
        )
    shares = [each.cost.share for each in ordered]
    if all(each.cost.boxes == 0 for each in ordered):
        yield 'no box is drawn: all scores are below --score'
    if shares[0] > 0.9995:
        yield HINT
    if len(ordered) > 1:
        yield f'{len(shares)} pictures: {np.mean(shares):.1%} of the adaptive MACs on average'
        yield f'contact sheet: {out}/contact_sheet.jpg, tables: {out}/demo.csv, {out}/demo.json'


def _write_tables(ordered: list[Seen], out: Path) -> None:
    rows, table, sheet = [], io.StringIO(), io.BytesIO()
    for path, drawn, cost, _ in ordered:
        stages = {f'iterations_stage{k}': n for k, n in enumerate(cost.iterations)}
        macs = {'macs': cost.macs, 'macs_full': cost.macs_full, 'share': round(cost.share, 4)}
        rest = {'ms': round(cost.ms, 2), 'boxes': cost.boxes}
        rows.append({'picture': str(path), 'drawn': drawn.name, **stages, **macs, **rest})
    writer = csv.DictWriter(table, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    contact_sheet(ordered).save(sheet, 'JPEG', quality=88)
    contents = {
        'demo.csv': table.getvalue().encode(),
        'demo.json': (json.dumps(rows, indent=1) + '\n').encode(),
        'contact_sheet.jpg': sheet.getvalue(),
    }
    write_together(out, contents)


def contact_sheet(ordered: Sequence[Seen]) -> Image.Image:
    """Thumbnails from cheapest to dearest, row by row; of more than MOST an even choice."""
    count = min(len(ordered), MOST)
    columns = min(count, max(3, round(count**0.5 * 1.2)))
    rows = -(-count // columns)
    (width, height), font = THUMBNAIL, ImageFont.truetype(LETTERS, 13)
    cell = (width + GAP, height + LINE + GAP)
    sheet = Image.new('RGB', (columns * cell[0] + GAP, rows * cell[1] + GAP), 'white')
    for k, number in enumerate(np.linspace(0, len(ordered) - 1, count).round().astype(int)):
        each = ordered[number]
        iterations = '/'.join(f'{n:.2g}' for n in each.cost.iterations)
        line = Image.new('RGB', (width, LINE), 'white')  # which cuts a long name
        text = f'{each.cost.share:.0%}  {iterations}  {each.path.name}'
        ImageDraw.Draw(line).text((0, 3), text, INK, font)
        x, y = GAP + k % columns * cell[0], GAP + k // columns * cell[1]
        sheet.paste(each.thumbnail, (x, y))
        sheet.paste(line, (x, y + height))
    return sheet
