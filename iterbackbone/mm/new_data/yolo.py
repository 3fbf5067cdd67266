"""YOLO's layout: one text file a picture, a line a box, and the names of the classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from ...files import files_below
from .folder import Box, Folder, Picture, text_of


def read(folder: Folder) -> tuple[list[str], list[Picture]]:
    """Classes and all pictures, also those without a file; ValueError without the classes' names."""
    labels = {file: label for file in folder.files if (label := _label(file)).is_file()}
    if not labels:
        return [], []
    names, points = _described(folder.path)
    pictures = []
    for file in folder.files:
        boxes = list(_boxes(labels[file], names, points, folder)) if file in labels else []
        pictures.append(Picture(file, folder.split_of(file.parent), boxes, relative=True))
    return list(dict.fromkeys(names.values())), pictures


def _label(file: Path) -> Path:
    """Beside the picture, or in 'labels' where that is in 'images'."""
    beside = file.with_suffix('.txt')
    if beside.is_file() or 'images' not in file.parts:
        return beside
    last = len(file.parts) - 1 - file.parts[::-1].index('images')
    return Path(*file.parts[:last], 'labels', *beside.parts[last + 1 :])


def _described(path: Path) -> tuple[dict[int, str], bool]:
    """Names of the classes by number, and whether lines hold key points behind the box."""
    for file in sorted(files_below(path, '.yaml', '.yml'), key=lambda file: len(file.parts)):
        try:
            content = yaml.safe_load(text_of(file))
        except yaml.YAMLError as error:
            raise ValueError(f'{file} must be YAML of plain values: {error}') from None
        names = content.get('names') if isinstance(content, dict) else None
        if names is None:
            continue  # of something else, such as a training's arguments
        named = dict(enumerate(names)) if isinstance(names, list) else names
        numbers = isinstance(named, dict) and {n: str(x) for n, x in named.items() if x is not None}
        if not numbers or not all(isinstance(number, int) for number in numbers):
            raise ValueError(f'{file} must list the classes as names, by number, got {names!r}')
        return numbers, 'kpt_shape' in content
    for file in [*files_below(path, '/classes.txt'), *files_below(path, '.names')]:
        lines = enumerate(line.strip() for line in text_of(file).splitlines())
        return {number: name for number, name in lines if name}, False
    raise ValueError(
        f'{path} is in YOLO layout and needs data.yaml or classes.txt with the names; class folders '
        'need --task classification'
    )


def _boxes(label: Path, names: dict[int, str], points: bool, folder: Folder) -> Iterator[Box]:
    """Of lines with class, centre and size, perhaps with key points behind, or class and polygon."""
    text = label.read_text(encoding='utf-8-sig', errors='replace')
    for number, line in enumerate(text.splitlines(), 1):
        try:
            kind, *values = map(float, line.split() or [-1])
            name = names.get(int(kind), f'class {int(kind)}')
            if len(values) >= 6 and len(values) % 2 == 0 and not points:
                lowest, highest = ([f(values[k::2]) for k in (0, 1)] for f in (min, max))
                yield Box(name, (*lowest, highest[0] - lowest[0], highest[1] - lowest[1]))
            elif line.strip():
                x, y, width, height = values[:4] if points else values
                yield Box(name, (x - width / 2, y - height / 2, width, height))
        except (OverflowError, ValueError):
            folder.wrong('broken line, left out', f'{label.name}:{number}: {line[:60]}')
