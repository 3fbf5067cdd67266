"""Which layout a folder has."""

from __future__ import annotations

from typing import NamedTuple

from . import coco, voc, yolo
from .folder import Box, Folder, Picture


class Dataset(NamedTuple):
    """Layout, 'detection' or 'classification', names of the classes in order, all pictures."""

    layout: str
    task: str
    classes: list[str]
    pictures: list[Picture]


def read_folder(folder: Folder, task: str | None) -> Dataset:
    """What is in the user's folder: pictures for a task (detection, classification), or for any.

    Raises:
        ValueError: it has none of the layouts.
    """
    for kind, layout, read, _ in LAYOUTS:
        if task in (None, kind):
            classes, pictures = read(folder)
            if classes and pictures:
                return Dataset(layout, kind, classes, pictures)
    known = '; '.join(f'{layout} ({what})' for kind, layout, _, what in LAYOUTS if task in (None, kind))
    broken = ''.join(f'; {line.strip()}' for line in folder.lines(1))
    raise ValueError(
        f'--data must be a folder of a known layout: {known}. {folder.path} has {len(folder.files)} '
        f'pictures, but no annotations or classes that can be read{broken}'
    )


def class_folders(folder: Folder) -> tuple[list[str], list[Picture]]:
    """Two classes or more and their pictures."""
    paths = [file.relative_to(folder.path).parts for file in folder.files]
    tops = {parts[0] for parts in paths if len(parts) > 1}
    depth = int(all(folder.split_of(folder.path / top) for top in tops))  # but a class may be 'train'
    pictures = []
    for file, parts in zip(folder.files, paths, strict=True):
        if len(parts) > depth + 1:
            split = folder.split_of(folder.path / parts[0]) if depth else ''
            pictures.append(Picture(file, split, [Box(parts[depth])]))
        else:
            folder.wrong('picture outside of the class folders, left out', '/'.join(parts))
    classes = sorted({picture.boxes[0].name for picture in pictures})
    return classes if len(classes) > 1 else [], pictures


LAYOUTS = (
    ('detection', 'COCO', coco.read, 'JSON with images, annotations, categories'),
    ('detection', 'VOC', voc.read, 'an XML file a picture'),
    ('detection', 'YOLO', yolo.read, 'a text file a picture, beside it or in labels/ for images/'),
    ('classification', 'class folders', class_folders, 'CLASS/ or train/CLASS/, two classes or more'),
)
