"""Which layout a folder has."""

from __future__ import annotations

from itertools import takewhile
from typing import NamedTuple

from .annotations import Found, coco, voc, yolo
from .folder import HIDDEN, Box, Folder, Picture

IMAGES = {'image', 'images', 'imgs', 'img_dir', 'jpegimages'}  # names of folders that are no class


class Dataset(NamedTuple):
    """Layout, 'detection' or 'classification', names of the classes in order, all pictures."""

    layout: str
    task: str
    classes: list[str]
    pictures: list[Picture]


def read_folder(folder: Folder, task: str | None) -> Dataset:
    """What is in the user's folder for a task, or for any; ValueError where it has no known layout."""
    layouts = [each for each in LAYOUTS if task in (None, each[0])]
    for kind, layout, read, _ in layouts:
        classes, pictures = read(folder)
        if classes and pictures:
            return Dataset(layout, kind, classes, pictures)
    known = '; '.join(f'{layout} ({what})' for _, layout, _, what in layouts)
    broken = ''.join(f'; {line.strip()}' for line in folder.lines(1))
    raise ValueError(
        f'--data must be a folder of a known layout: {known}. {folder.path} has {len(folder.files)} '
        f'pictures, but no annotations or classes that can be read{broken}'
    )


def class_folders(folder: Folder) -> Found:
    """Two classes or more and their pictures, below folders of splits or not."""
    above = {file: file.relative_to(folder.path).parts[:-1] for file in folder.files}

    def split_of(part: str) -> str:
        return folder.split_of(folder.path / part)

    tops = [split_of(parts[0]) for parts in above.values() if parts]
    in_splits = all(tops) or len({*tops} - {''}) > 1  # but one class may be 'train'
    inside = [parts[:-1] for parts in above.values() if parts and split_of(parts[0])]
    depths = [len([*takewhile(split_of, parts)]) for parts in inside]  # train/train/CLASS
    depth = max(1, min(depths, default=1)) if in_splits else 0
    pictures = []
    for file, parts in above.items():
        if len(parts) <= depth or (in_splits and not split_of(parts[0])):
            folder.wrong('picture outside of the class folders, left out', str(file))
        else:
            split = split_of(parts[0]) if in_splits else ''
            pictures.append(Picture(file, split, [Box(parts[depth])]))
    classes = sorted({picture.boxes[0].name for picture in pictures})
    folders = [path.relative_to(folder.path).parts for path in folder.path.glob('*/' * (depth + 1))]
    shown = [parts for parts in folders if not any(part.startswith(HIDDEN) for part in parts)]
    found = {parts[-1] for parts in shown if not in_splits or split_of(parts[0])}
    for name in sorted(found.difference(classes)):
        folder.wrong('class folder without a picture, left out', name)
    images = [name for name in classes if name.lower() in IMAGES]
    for name in images:
        folder.wrong('folder of images beside their masks or labels, no class', name)
    return classes if len(classes) > 1 and not images else [], pictures


LAYOUTS = (
    ('detection', 'COCO', coco, 'JSON with images, annotations, categories'),
    ('detection', 'VOC', voc, 'an XML file a picture'),
    ('detection', 'YOLO', yolo, 'a text file a picture, beside it or in labels/ for images/'),
    ('classification', 'class folders', class_folders, 'CLASS/ or train/CLASS/, two classes or more'),
)
