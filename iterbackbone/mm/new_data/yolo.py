"""YOLO's layout: one text file a picture, a line a box, and the names of the classes."""

from __future__ import annotations

from pathlib import Path

import yaml

from ...files import files_below
from .folder import Box, Folder, Picture


def read(folder: Folder) -> tuple[list[str], list[Picture]]:
    """Classes and all pictures, also those without a file; ValueError without the classes' names."""
    labels = {file: label for file in folder.files if (label := _label(file)).is_file()}
    if not labels:
        return [], []
    names, points = _described(folder.path)
    pictures = []
    for file in folder.files:
        boxes = _boxes(labels[file], names, points, folder) if file in labels else []
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
            content = yaml.safe_load(file.read_text(encoding='utf-8-sig'))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f'{file} must be YAML of plain values in UTF-8: {error}') from None
        if not isinstance(content, dict) or content.get('names') is None:
            continue  # of something else, such as a training's arguments
        names = content['names']
        named = dict(enumerate(names)) if isinstance(names, list) else names
        if not isinstance(named, dict) or not all(isinstance(number, int) for number in named):
            raise ValueError(f'{file} must list the classes as names, by number, got {names!r}')
        return {number: str(name) for number, name in named.items()}, 'kpt_shape' in content
    for file in [*files_below(path, '/classes.txt'), *files_below(path, '.names')]:
        lines = enumerate(file.read_text(encoding='utf-8-sig').splitlines())
        return {number: name.strip() for number, name in lines if name.strip()}, False
    raise ValueError(
        f'{path} is in YOLO layout and needs data.yaml or classes.txt with the names; class folders '
        'need --task classification'
    )


def _boxes(label: Path, names: dict[int, str], points: bool, folder: Folder) -> list[Box]:
    """Of lines with class, centre and size, perhaps with key points behind, or class and polygon."""
    boxes, text = [], label.read_text(encoding='utf-8-sig', errors='replace')
    for number, line in enumerate(text.splitlines(), 1):
        with folder.reading('line', label, f'line {number}: {line}'):
            kind, *values = map(float, line.split() or [-1])
            name = names.get(int(kind), f'class {int(kind)}')
            if len(values) >= 6 and len(values) % 2 == 0 and not points:
                (x, right), (y, low) = ((min(v), max(v)) for v in (values[::2], values[1::2]))
                boxes.append(Box(name, (x, y, right - x, low - y)))
            elif line.strip():
                x, y, width, height = values[:4] if points else values
                boxes.append(Box(name, (x - width / 2, y - height / 2, width, height)))
    return boxes
