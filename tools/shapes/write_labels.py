"""COCO's and YOLO's labels of a set, beside the same images."""

import json
from pathlib import Path

from .scene import Annotation
from .spec import CLASSES


def write_coco(path: Path, size: tuple[int, int], images: dict[str, list[Annotation]]):
    """Writes COCO's file of the images (annotations by id), all of size (W, H) px; difficult objects
    are crowds, whose boxes mmdet does not count as missed."""
    notes = [(number, note) for number, each in enumerate(images.values()) for note in each]
    content = dict(
        images=[
            dict(id=number, file_name=f'{name}.jpg', width=size[0], height=size[1])
            for number, name in enumerate(images)
        ],
        annotations=[_coco(number, image, note) for number, (image, note) in enumerate(notes, 1)],
        categories=[dict(id=number, name=name) for number, name in enumerate(CLASSES)],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content) + '\n')


def _coco(number, image, note):
    x, y, w, h = _box(note)
    kind = dict(category_id=CLASSES.index(note.name), iscrowd=int(note.difficult))
    return dict(id=number, image_id=image, bbox=(x, y, w, h), area=w * h, **kind)


def yolo_lines(size: tuple[int, int], annotations: list[Annotation]) -> str:
    """YOLO's lines of an image of size (W, H) px: class, and box as shares; no difficult objects."""
    lines = ''
    for note in annotations:
        (x, y, w, h), (width, height) = _box(note), size
        if not note.difficult:
            shares = (x + w / 2) / width, (y + h / 2) / height, w / width, h / height
            lines += f'{CLASSES.index(note.name)} {" ".join(f"{share:.6f}" for share in shares)}\n'
    return lines


def _box(note):
    """Left, top, width and height as mmdet counts those of VOC: its last pixel is not in the width."""
    left, top, right, bottom = note.box
    return left, top, right - left, bottom - top
