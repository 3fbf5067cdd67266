"""COCO's layout: JSON files with images, annotations and categories."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from .folder import Box, Folder, Picture

KEYS = ('images', 'annotations', 'categories')


def read(folder: Folder) -> tuple[list[str], list[Picture]]:
    """Classes and pictures of all such files."""
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
        pictures += _pictures(path, content, names, folder)
    return list(dict.fromkeys(classes)), pictures


def _pictures(path: Path, content: Any, names: dict[Any, str], folder: Folder) -> list[Picture]:
    boxes, found = defaultdict(list), {}
    for each in content['annotations']:
        with folder.reading('JSON entry', path, each):
            left, top, width, height = map(float, each['bbox'])
            name = names.get(each['category_id'], f'category_id {each["category_id"]}')
            ignored = bool(each.get('iscrowd') or each.get('ignore'))
            boxes[each['image_id']].append(Box(name, (left, top, width, height), ignored))
    for each in content['images']:
        with folder.reading('JSON entry', path, each):
            file = folder.find(each['file_name'], path)
            size = (int(each['width']), int(each['height'])) if 'width' in each else None
            if each['id'] in found:
                folder.wrong(
                    'image id twice, second left out', f'{path.name}: {each["id"]}, {file.name}'
                )
                continue
            mine = boxes.pop(each['id'], [])
            found[each['id']] = Picture(file, folder.split_of(path), mine, size)
    for number, others in boxes.items():
        what = f'{path.name}: {len(others)} of image_id {number}'
        folder.wrong('annotations of no image, left out', what)
    return list(found.values())
