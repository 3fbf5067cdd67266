"""VOC's layout: one XML file a picture, lists of the splits in ImageSets/Main."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from ...files import IMAGE_TYPES, files_below
from .folder import Box, Folder, Picture, text_of

CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
LISTS = {'test': 'test', 'trainval': 'train', 'val': 'val', 'train': 'train'}  # the last one counts


def read(folder: Folder) -> tuple[list[str], list[Picture]]:
    """Classes, and pictures with an XML file."""
    pictures, listed = [], {}
    for path in files_below(folder.path, '.xml'):
        try:
            root = ET.parse(path).getroot()
        except (ET.ParseError, LookupError, ValueError) as error:
            folder.wrong('broken XML file, left out', f'{path.name}: {error}')
            continue
        main = path.parent.parent / 'ImageSets/Main'
        splits = listed[main] = listed.get(main) or _splits(main)
        if splits and path.stem not in splits:
            folder.wrong('picture in no list of ImageSets/Main, left out', path.stem)
        elif root.tag == 'annotation':
            pictures.append(_picture(path, root, splits.get(path.stem), folder))
    found = {picture.file.stem for picture in pictures}
    for name in sorted({name for splits in listed.values() for name in splits} - found):
        folder.wrong('picture in ImageSets/Main without an XML file that can be read', name)
    return sorted({box.name for picture in pictures for box in picture.boxes} - {''}), pictures


def _splits(main: Path) -> dict[str, str]:
    """Of each picture that the lists name."""
    found = {}
    for name, split in LISTS.items():
        path = main / f'{name}.txt'
        lines = text_of(path).splitlines() if path.is_file() else []
        found.update({_stem(line.split()[0]): split for line in lines if line.strip()})
    return found


def _stem(name: str) -> str:
    """Of a picture that a list names, perhaps with its type."""
    return name[: -len(Path(name).suffix)] if name.lower().endswith(IMAGE_TYPES) else name


def _picture(path: Path, root: ET.Element, split: str | None, folder: Folder) -> Picture:
    stated = root.findtext('filename') or ''
    own = Path(re.split(r'[\\/]', stated)[-1]).stem == path.stem  # else a copy that kept the old name
    near = path.parent / (root.findtext('folder') or '').strip('/\\') / path.name
    names = [stated, path.stem] if own else [path.stem, stated or path.stem]
    files = [folder.find(name, near) for name in names]
    file = next((each for each in files if each.is_file()), files[-1])
    split = split or folder.split_of(path.parent) or folder.split_of(file.parent)
    width, height = (root.findtext(f'size/{side}') or '' for side in ('width', 'height'))
    size = (int(width), int(height)) if width.isdecimal() and height.isdecimal() else None
    return Picture(file, split, list(_boxes(path, root, folder)), size)


def _boxes(path: Path, root: ET.Element, folder: Folder) -> Iterator[Box]:
    for item in root.findall('object'):
        name = (item.findtext('name') or '').strip()
        try:
            x1, y1, x2, y2 = (float(item.findtext(f'bndbox/{c}') or '') for c in CORNERS)
        except ValueError:
            folder.wrong('broken box, left out', f'{path.name}: {name}')
        else:
            ignored = (item.findtext('difficult') or '').strip() == '1'
            yield Box(name, (x1 - 1, y1 - 1, x2 - x1, y2 - y1), ignored)  # VOC counts from 1
