"""COCO's layout: JSON files with images, annotations and categories."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .folder import Box, Folder, Picture

KEYS = ('images', 'annotations', 'categories')


def read(folder: Folder) -> tuple[list[str], list[Picture]]:
    """Classes and pictures of all such files."""
    paths = sorted([*folder.path.glob('*.json'), *folder.path.glob('*/*.json')])
    files = {path: content for path in paths if (content := _content(path, folder))}
    instances = {path: c for path, c in files.items() if path.name.startswith('instances')}
    classes, pictures = [], []
    for path, content in (instances or files).items():  # captions and keypoints are of the same images
        names = dict(_good(folder, path, content['categories'], lambda c: (c['id'], str(c['name']))))
        classes += [names[number] for number in sorted(names, key=lambda n: str(n).zfill(9))]
        pictures += _pictures(path, content, _boxes(path, content, names, folder), folder)
    return list(dict.fromkeys(classes)), pictures


def _content(path: Path, folder: Folder) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except (RecursionError, ValueError) as error:
        folder.wrong('broken JSON file, left out', f'{path.name}: {error}')
        return None
    fits = isinstance(content, dict) and all(isinstance(content.get(key), list) for key in KEYS)
    return content if fits else None


def _good(folder: Folder, path: Path, entries: list[Any], parse: Callable) -> Iterator[Any]:
    for entry in entries:
        try:
            parsed = parse(entry)
            hash(parsed)
        except (AttributeError, KeyError, TypeError, ValueError):  # whatever a broken one raises
            folder.wrong('broken JSON entry, left out', f'{path.name}: {str(entry)[:80]}')
        else:
            yield parsed


def _boxes(path: Path, content: Any, names: dict, folder: Folder) -> dict[Any, list[Box]]:
    """By image."""

    def parse(note: Any) -> tuple[Any, Any, Box]:
        left, top, width, height = map(float, note['bbox'])
        name = names.get(note['category_id'], f'category_id {note["category_id"]}')
        ignored = bool(note.get('iscrowd') or note.get('ignore'))
        return note['image_id'], note.get('id'), Box(name, (left, top, width, height), ignored)

    boxes, seen = defaultdict(list), set()
    for image, number, box in _good(folder, path, content['annotations'], parse):
        boxes[image].append(box)
        if number is not None and number in seen:
            folder.wrong('annotation id twice, numbered anew', f'{path.name}: {number}')
        seen.add(number)
    return boxes


def _pictures(path: Path, content: Any, boxes: dict, folder: Folder) -> Iterator[Picture]:
    def parse(image: Any) -> tuple[Any, Path, Any]:
        size = (int(image['width']), int(image['height'])) if 'width' in image else None
        return image['id'], folder.find(image['file_name'], path), size

    seen = set()
    for number, file, size in _good(folder, path, content['images'], parse):
        if number in seen:
            folder.wrong('image id twice, second left out', f'{path.name}: {number}, {file.name}')
        else:
            yield Picture(file, folder.split_of(path), boxes.get(number, []), size)
        seen.add(number)
    for number in [each for each in boxes if each not in seen]:
        what = f'{path.name}: {len(boxes[number])} of image_id {number}'
        folder.wrong('annotations of no image, left out', what)
