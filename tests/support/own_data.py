"""A user's folder of a few pictures of one colour."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from iterbackbone.mm.new_data.cleaning import cleaned
from iterbackbone.mm.new_data.folder import Folder
from iterbackbone.mm.new_data.layouts import read_folder

CLASSES = ('circle', 'cross', 'ring', 'square', 'star', 'triangle')
CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


def picture(path: Path, size=(40, 30), orientation=1, colour=0) -> Path:
    """Write a picture of one colour, (W, H) as stored."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new('RGB', size, (colour, 80, 160)).save(path, exif=exif)
    return path


def coco_file(path: Path, images, annotations, names=('ring', 'star')) -> Path:
    """Write a COCO file: images as (id, file, (W, H)), annotations as dicts or (image, class, xywh)."""
    notes = [
        note
        if not isinstance(note, tuple)
        else dict(id=number, image_id=note[0], category_id=note[1], bbox=note[2], area=1, iscrowd=0)
        for number, note in enumerate(annotations, 1)
    ]
    content = dict(
        images=[
            dict(id=i, file_name=f, width=size[0], height=size[1]) if size else dict(id=i, file_name=f)
            for i, f, size in images
        ],
        annotations=notes,
        categories=[dict(id=i, name=name) for i, name in enumerate(names)],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def xml_file(path: Path, boxes, size=(40, 30)) -> Path:
    """Write a VOC file: boxes as (class, (x1, y1, x2, y2)) counted from 1."""
    objects = ''.join(
        f'<object><name>{name}</name><bndbox>'
        + ''.join(f'<{c}>{v}</{c}>' for c, v in zip(CORNERS, corners, strict=True))
        + '</bndbox></object>'
        for name, corners in boxes
    )
    stated = f'<size><width>{size[0]}</width><height>{size[1]}</height></size>'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<annotation>{stated}{objects}</annotation>')
    return path


def found(path: Path, task=None):
    """The cleaned data set of a folder, and what is wrong as a dict of kinds and cases."""
    folder = Folder(path)
    return cleaned(read_folder(folder, task), folder), dict(folder.problems)
