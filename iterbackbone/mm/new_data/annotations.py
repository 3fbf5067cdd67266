"""Reads the annotations of COCO, VOC and YOLO."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from ...files import IMAGE_TYPES, files_below
from .folder import Box, Folder, Picture, text_of

Found = tuple[list[str], list[Picture]]  # classes and pictures
KEYS = ('images', 'annotations', 'categories')
CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
LISTS = {'test': 'test', 'trainval': 'train', 'val': 'val', 'train': 'train'}  # the last one counts


def coco(folder: Folder) -> Found:
    """Classes and pictures of all JSON files with images, annotations and categories."""
    files = {}
    for path in sorted([*folder.path.glob('*.json'), *folder.path.glob('*/*.json')]):
        with folder.reading('JSON file', path):
            content = json.loads(path.read_bytes())
            if isinstance(content, dict) and all(isinstance(content.get(key), list) for key in KEYS):
                files[path] = content
    instances = {path: c for path, c in files.items() if path.name.startswith('instances')}
    classes, pictures = [], []
    for path, content in (instances or files).items():  # captions and keypoints are of the same images
        names = {}
        for each in content['categories']:
            with folder.reading('JSON entry', path, each):
                names[each['id']] = str(each['name'])
        classes += names.values()
        pictures += _coco_pictures(path, content, names, folder)
    return list(dict.fromkeys(classes)), pictures


def _coco_pictures(path: Path, content: Any, names: dict[Any, str], folder: Folder) -> list[Picture]:
    boxes, found, seen = defaultdict(list), {}, set()
    for each in content['annotations']:
        with folder.reading('JSON entry', path, each):
            left, top, width, height = map(float, each['bbox'])
            name = names.get(each['category_id'], f'category_id {each["category_id"]}')
            ignored = bool(each.get('iscrowd') or each.get('ignore'))
            boxes[each['image_id']].append(Box(name, (left, top, width, height), ignored))
            if (number := each.get('id')) is not None and number in seen:
                folder.wrong('annotation id twice, numbered anew', f'{path.name}: {number}')
            seen.add(number)
    for each in content['images']:
        with folder.reading('JSON entry', path, each):
            file = folder.find(each['file_name'], path)
            size = (int(each['width']), int(each['height'])) if 'width' in each else None
            if each['id'] in found:
                twice = f'{path.name}: {each["id"]}, {file.name}'
                folder.wrong('image id twice, second left out', twice)
                continue
            mine = boxes.pop(each['id'], [])
            found[each['id']] = Picture(file, folder.split_of(path), mine, size)
    for number, others in boxes.items():
        what = f'{path.name}: {len(others)} of image_id {number}'
        folder.wrong('annotations of no image, left out', what)
    return list(found.values())


def voc(folder: Folder) -> Found:
    """Classes, and pictures with an XML file; lists in ImageSets/Main tell the splits."""
    pictures, listed = [], {}
    for path in files_below(folder.path, '.xml'):
        main = path.parent.parent / 'ImageSets/Main'
        splits = listed[main] = listed.get(main) or _voc_splits(main)
        with folder.reading('XML file', path):
            root = ET.parse(path).getroot()
            if splits and path.stem not in splits:
                folder.wrong('picture in no list of ImageSets/Main, left out', path.stem)
            elif root.tag == 'annotation':
                pictures.append(_voc_picture(path, root, splits.get(path.stem), folder))
    found = {picture.file.stem for picture in pictures}
    for name in sorted({name for splits in listed.values() for name in splits} - found):
        folder.wrong('picture in ImageSets/Main without an XML file that can be read', name)
    return sorted({box.name for picture in pictures for box in picture.boxes} - {''}), pictures


def _voc_splits(main: Path) -> dict[str, str]:
    """Of each picture that the lists name, perhaps with its type."""
    found = {}
    for name, split in LISTS.items():
        path = main / f'{name}.txt'
        lines = text_of(path).splitlines() if path.is_file() else []
        for stem in (line.split()[0] for line in lines if line.strip()):
            found[Path(stem).stem if stem.lower().endswith(IMAGE_TYPES) else stem] = split
    return found


def _voc_picture(path: Path, root: ET.Element, split: str | None, folder: Folder) -> Picture:
    stated = root.findtext('filename') or ''
    own = Path(re.split(r'[\\/]', stated)[-1]).stem == path.stem  # else a copy that kept the old name
    near = path.parent / (root.findtext('folder') or '').strip('/\\') / path.name
    names = [stated, path.stem] if own else [path.stem, stated or path.stem]
    files = [folder.find(name, near) for name in names]
    file = next((each for each in files if each.is_file()), files[-1])
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


def yolo(folder: Folder) -> Found:
    """Classes and all pictures, also those without a file; ValueError without the classes' names."""
    labels = {file: label for file in folder.files if (label := _yolo_label(file)).is_file()}
    if not labels:
        return [], []
    names, points = _yolo_names(folder.path)
    pictures = []
    for file in folder.files:
        boxes = _yolo_boxes(labels[file], names, points, folder) if file in labels else []
        pictures.append(Picture(file, folder.split_of(file.parent), boxes, relative=True))
    beside = {file for label in labels.values() for file in label.parent.glob('*.txt')}
    for file in sorted(filter(_begins_with_a_box, beside.difference(labels.values()))):
        folder.wrong('picture missing, left out', str(file))
    return list(dict.fromkeys(names.values())), pictures


def _begins_with_a_box(label: Path) -> bool:
    with open(label, encoding='utf-8-sig', errors='replace') as lines:
        try:
            return len([*map(float, lines.readline().split())]) >= 5
        except ValueError:
            return False


def _yolo_label(file: Path) -> Path:
    """Beside the picture, or in 'labels' where that is in 'images'."""
    beside = file.with_suffix('.txt')
    if beside.is_file() or 'images' not in file.parts:
        return beside
    last = len(file.parts) - 1 - file.parts[::-1].index('images')
    return Path(*file.parts[:last], 'labels', *beside.parts[last + 1 :])


def _yolo_names(path: Path) -> tuple[dict[int, str], bool]:
    """Names of the classes by number, and whether lines hold key points behind the box."""
    for file in sorted(files_below(path, '.yaml', '.yml'), key=lambda file: len(file.parts)):
        try:
            content = yaml.safe_load(text_of(file))
        except yaml.YAMLError as error:
            raise ValueError(f'{file} must be YAML of plain values: {error}') from None
        if not isinstance(content, dict) or content.get('names') is None:
            continue  # of something else, such as a training's arguments
        names = content['names']
        named = dict(enumerate(names)) if isinstance(names, list) else names
        if not isinstance(named, dict) or not all(isinstance(number, int) for number in named):
            raise ValueError(f'{file} must list the classes as names, by number, got {names!r}')
        known = {number: str(name) for number, name in named.items() if name is not None}
        return known, 'kpt_shape' in content
    for file in [*files_below(path, '/classes.txt'), *files_below(path, '.names')]:
        lines = enumerate(text_of(file).splitlines())
        return {number: name.strip() for number, name in lines if name.strip()}, False
    raise ValueError(
        f'{path} is in YOLO layout and needs data.yaml or classes.txt with the names; class folders '
        'need --task classification'
    )


def _yolo_boxes(label: Path, names: dict[int, str], points: bool, folder: Folder) -> list[Box]:
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
