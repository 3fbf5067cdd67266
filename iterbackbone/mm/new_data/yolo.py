"""YOLO's layout: one text file a picture, a line a box, and the names of the classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mmengine

from .folder import Box, Folder, Picture


def read(folder: Folder) -> tuple[list[str], list[Picture]]:
    """Classes and all pictures, also those without a file; ValueError without the classes' names."""
    labels = {file: label for file in folder.files if (label := _label(file)).is_file()}
    if not labels:
        return [], []
    names = _names(folder.path)
    pictures = [
        Picture(
            file,
            folder.split_of(file.parent),
            list(_boxes(labels[file], names, folder)) if file in labels else [],
            relative=True,
        )
        for file in folder.files
    ]
    return list(dict.fromkeys(names.values())), pictures


def _label(file: Path) -> Path:
    """Beside the picture, or in 'labels' where that is in 'images'."""
    beside = file.with_suffix('.txt')
    if beside.is_file() or 'images' not in file.parts:
        return beside
    last = len(file.parts) - 1 - file.parts[::-1].index('images')
    return Path(*file.parts[:last], 'labels', *beside.parts[last + 1 :])


def _names(path: Path) -> dict[int, str]:
    for file in sorted([*path.glob('*.yaml'), *path.glob('*.yml')]):
        try:
            names = mmengine.load(file)['names']
            pairs = names.items() if isinstance(names, dict) else enumerate(names)
            return {int(number): str(name) for number, name in pairs}
        except Exception as error:  # of the YAML reader, or no names
            raise ValueError(f'{file} must list the classes as names: {error}') from None
    for file in sorted([*path.rglob('classes.txt'), *path.rglob('*.names')]):
        lines = file.read_text(encoding='utf-8').splitlines()
        return dict(enumerate(line.strip() for line in lines if line.strip()))
    raise ValueError(f'{path} is in YOLO layout and needs data.yaml or classes.txt with the names')


def _boxes(label: Path, names: dict[int, str], folder: Folder) -> Iterator[Box]:
    """Of lines with class, centre and size, or class and polygon."""
    for number, line in enumerate(label.read_text(encoding='utf-8', errors='replace').splitlines(), 1):
        try:
            kind, *values = map(float, line.split() or [-1])
            name = names.get(int(kind), f'class {int(kind)}')
            if len(values) >= 6 and len(values) % 2 == 0:
                lowest, highest = ([f(values[k::2]) for k in (0, 1)] for f in (min, max))
                yield Box(name, (*lowest, highest[0] - lowest[0], highest[1] - lowest[1]))
            elif line.strip():
                x, y, width, height = values
                yield Box(name, (x - width / 2, y - height / 2, width, height))
        except (OverflowError, ValueError):
            folder.wrong('broken line, left out', f'{label.name}:{number}: {line[:60]}')
