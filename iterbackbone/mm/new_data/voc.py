"""VOC's layout: one XML file a picture, lists of the splits in ImageSets/Main."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from ...files import IMAGE_TYPES, files_below
from .folder import Box, Folder, Picture

CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
LISTS = {'test': 'test', 'trainval': 'train', 'val': 'val', 'train': 'train'}  # the last one counts


def read(folder: Folder) -> tuple[list[str], list[Picture]]:
    """Classes, and pictures with an XML file."""
    pictures, listed = [], {}
    for path in files_below(folder.path, '.xml'):
        main = path.parent.parent / 'ImageSets/Main'
        splits = listed[main] = listed.get(main) or _splits(main)
        with folder.reading('XML file', path):
            root = ET.parse(path).getroot()
            if splits and path.stem not in splits:
                folder.wrong('picture in no list of ImageSets/Main, left out', path.stem)
            elif root.tag == 'annotation':
                pictures.append(_picture(path, root, splits.get(path.stem), folder))
    found = {picture.file.stem for picture in pictures}
    for name in sorted({name for splits in listed.values() for name in splits} - found):
        folder.wrong('picture in ImageSets/Main without an XML file that can be read', name)
    return sorted({box.name for picture in pictures for box in picture.boxes} - {''}), pictures


def _splits(main: Path) -> dict[str, str]:
    """Of each picture that the lists name, perhaps with its type."""
    found = {}
    for name, split in LISTS.items():
        path = main / f'{name}.txt'
        lines = path.read_text(encoding='utf-8-sig').splitlines() if path.is_file() else []
        for stem in (line.split()[0] for line in lines if line.strip()):
            found[Path(stem).stem if stem.lower().endswith(IMAGE_TYPES) else stem] = split
    return found


def _picture(path: Path, root: ET.Element, split: str | None, folder: Folder) -> Picture:
    stated = re.split(r'[\\/]', root.findtext('filename') or '')[-1]
    near = path.parent / (root.findtext('folder') or '').strip('/\\') / stated
    file = folder.find(path.stem, near)  # a copy may state the old name
    if stated and not file.is_file():
        file = folder.find(stated, near)
    split = split or folder.split_of(path.parent) or folder.split_of(file.parent)
    sides = [root.findtext(f'size/{side}') or '' for side in ('width', 'height')]
    size = tuple(map(int, sides)) if all(side.isdecimal() for side in sides) else None
    boxes = []
    for item in root.findall('object'):
        name = (item.findtext('name') or '').strip()
        with folder.reading('box', path, name):
            x1, y1, x2, y2 = (float(item.findtext(f'bndbox/{c}')) for c in CORNERS)
            ignored = (item.findtext('difficult') or '').strip() == '1'
            boxes.append(Box(name, (x1 - 1, y1 - 1, x2 - x1, y2 - y1), ignored))  # VOC counts from 1
    return Picture(file, split, boxes, size)
