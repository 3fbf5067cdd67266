"""Which layout a folder has."""

from __future__ import annotations

from typing import NamedTuple

from . import coco, voc, yolo
from .folder import Box, Folder, Picture

IMAGES = {'image', 'images', 'imgs', 'img_dir', 'jpegimages'}  # names of folders that are no class


class Dataset(NamedTuple):
    """Layout, 'detection' or 'classification', names of the classes in order, all pictures."""

    layout: str
    task: str
    classes: list[str]
    pictures: list[Picture]


def read_folder(folder: Folder, task: str | None) -> Dataset:
    """What is in the user's folder for a task, or for any; ValueError where it has no known layout."""
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
    splits = {top: folder.split_of(folder.path / top) for top in tops}
    several = len({*splits.values()} - {''}) > 1  # but one class may be 'train'
    depth, pictures = int(several or all(splits.values())), []
    below = [parts for parts in paths if len(parts) > 1 and splits[parts[0]]]
    while depth and below and all(_repeats(folder, parts, depth) for parts in below):
        depth += 1  # train/train/CLASS
    for file, parts in zip(folder.files, paths, strict=True):
        split = splits.get(parts[0], '') if depth else ''
        if depth and len(parts) > 1 and not split:
            folder.wrong('picture in no folder of a split, left out', '/'.join(parts))
        elif len(parts) > depth + 1:
            pictures.append(Picture(file, split, [Box(parts[depth])]))
        else:
            folder.wrong('picture outside of the class folders, left out', '/'.join(parts))
    classes = sorted({picture.boxes[0].name for picture in pictures})
    for name in (images := [name for name in classes if name.lower() in IMAGES]):
        folder.wrong('folder of images beside their masks or labels, no class', name)
    return classes if len(classes) > 1 and not images else [], pictures


def _repeats(folder: Folder, parts: tuple[str, ...], depth: int) -> bool:
    """Whether a picture's path names a split once more at this depth."""
    return len(parts) > depth + 2 and bool(folder.split_of(folder.path / parts[depth]))


LAYOUTS = (
    ('detection', 'COCO', coco.read, 'JSON with images, annotations, categories'),
    ('detection', 'VOC', voc.read, 'an XML file a picture'),
    ('detection', 'YOLO', yolo.read, 'a text file a picture, beside it or in labels/ for images/'),
    ('classification', 'class folders', class_folders, 'CLASS/ or train/CLASS/, two classes or more'),
)
