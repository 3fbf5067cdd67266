"""A user's folder in each layout: the generated scenes, or a few pictures of one colour."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
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


def scenes(shapes_root: Path):
    """(split, picture, (W, H), boxes as (class, xywh from 0, difficult)) of the generated scenes."""
    root = shapes_root / 'VOCdevkit/VOC2007'
    for split in ('train', 'val'):
        for name in (root / f'ImageSets/Main/{split}.txt').read_text().split():
            tree = ET.parse(root / f'Annotations/{name}.xml').getroot()
            boxes = []
            for item in tree.findall('object'):
                x1, y1, x2, y2 = (int(item.findtext(f'bndbox/{c}')) - 1 for c in CORNERS)
                xywh = (x1, y1, x2 - x1, y2 - y1)
                boxes.append((item.findtext('name'), xywh, item.findtext('difficult') == '1'))
            file = root / f'JPEGImages/{name}.jpg'
            yield split, file, Image.open(file).size, boxes


def export_coco(shapes_root: Path, target: Path) -> Path:
    """``target/{train,val}2017`` and ``target/annotations/instances_{train,val}2017.json``."""
    for part in ('train', 'val'):
        images, notes = [], []
        for split, file, size, boxes in scenes(shapes_root):
            if split == part:
                copy = target / f'{split}2017' / file.name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, copy)
                images.append((len(images), file.name, size))
                for name, xywh, difficult in boxes:
                    note = dict(image_id=len(images) - 1, category_id=CLASSES.index(name), bbox=xywh)
                    notes.append(dict(note, id=len(notes), iscrowd=int(difficult), area=1))
        coco_file(target / f'annotations/instances_{part}2017.json', images, notes, CLASSES)
    return target


def export_yolo(shapes_root: Path, target: Path) -> Path:
    """``target/{images,labels}/{train,val}`` and ``data.yaml``; without the difficult objects."""
    for split, file, (W, H), boxes in scenes(shapes_root):
        copy, label = target / 'images' / split / file.name, target / f'labels/{split}/{file.stem}.txt'
        for each in (copy, label):
            each.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
        lines = [
            f'{CLASSES.index(name)} {(x + w / 2) / W} {(y + h / 2) / H} {w / W} {h / H}'
            for name, (x, y, w, h), difficult in boxes
            if not difficult
        ]
        label.write_text('\n'.join(lines))
    (target / 'data.yaml').write_text(f'train: images/train\nval: images/val\nnames: {[*CLASSES]}\n')
    return target
