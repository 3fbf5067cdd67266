"""Files of a set in every layout, written whole or not at all."""

import itertools
import json
import os
import shutil
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from .render import render
from .scene import CLASSES, SPLITS, VERSION, Annotation, ShapesSpec, image_rng, make_scene

RECORD = 'shapes.json'
OWN_ENTRIES = {RECORD, 'VOCdevkit', 'ADEChallengeData2016', 'classification', 'coco', 'yolo'}
CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
FIRST_ID = {'train': 1, 'val': 500_001}  # far apart, so ids do not depend on how many there are
ADE_FOLDER = {'train': 'training', 'val': 'validation'}
LISTS = {'train': 'train', 'trainval': 'train', 'val': 'val', 'test': 'val'}
JPEG_QUALITY = 90
CROP_SIDE = 32  # px
CROP_VISIBLE = 0.7  # smallest visible share of an object that gets a crop


def record_of(spec: ShapesSpec) -> dict:
    """What ``shapes.json`` says about a set, as JSON values."""
    made_with = dict(generator='make_shapes_voc', version=VERSION, classes=CLASSES, **asdict(spec))
    return json.loads(json.dumps(made_with))


def image_ids(spec: ShapesSpec, split: str) -> list[str]:
    """Six-digit ids of the images of ``'train'`` or ``'val'``."""
    count = spec.num_train if split == 'train' else spec.num_val
    return [f'{FIRST_ID[split] + index:06d}' for index in range(count)]


def _write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def _encode(suffix, image, *options):
    return cv2.imencode(suffix, image, options)[1].tobytes()


def _add(parent, **values):
    for tag, value in values.items():
        ET.SubElement(parent, tag).text = str(value)


def voc_xml(image_id: str, size: tuple[int, int], annotations: list) -> str:
    """VOC2007 annotation of an image of size (W, H) px; boxes count from 1, both ends included."""
    root = ET.Element('annotation')
    _add(root, folder='VOC2007', filename=f'{image_id}.jpg')
    _add(ET.SubElement(root, 'size'), width=size[0], height=size[1], depth=3)
    _add(root, segmented=1)
    for note in annotations:
        item = ET.SubElement(root, 'object')
        _add(item, name=note.name, pose='Unspecified')
        _add(item, truncated=int(note.truncated), difficult=int(note.difficult))
        corners = {key: value + 1 for key, value in zip(CORNERS, note.box, strict=True)}
        _add(ET.SubElement(item, 'bndbox'), **corners)
    ET.indent(root, '\t')
    return ET.tostring(root, encoding='unicode') + '\n'


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


def crop(image: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """The square around a box (see ``Annotation``) as (32, 32, 3) uint8, borders repeated."""
    left, top, right, bottom = box
    side = 1.2 * max(right - left + 1, bottom - top + 1)
    scale = CROP_SIDE / side
    middle = np.array([left + right + 1, top + bottom + 1]) / 2
    shift = (CROP_SIDE / 2 - scale * middle) + (scale - 1) / 2  # pixel centres, as OpenCV counts
    if scale < 1:  # no aliasing
        image = cv2.GaussianBlur(image, (0, 0), 0.5 / scale)
    matrix = np.array([(scale, 0, shift[0]), (0, scale, shift[1])])
    return cv2.warpAffine(image, matrix, (CROP_SIDE, CROP_SIDE), borderMode=cv2.BORDER_REPLICATE)


def link_or_copy(source: Path, target: Path):
    """Makes ``target`` a hard link to ``source``, or a copy where links are not to be had."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def write_image(root: Path, spec: ShapesSpec, split: str, image_id: str) -> list[Annotation]:
    """Writes every file of one image of ``'train'`` or ``'val'`` below ``root``."""
    rng = image_rng(spec.seed, split, int(image_id) - FIRST_ID[split])
    scene = make_scene(rng, spec)
    image, annotations = render(rng, scene, spec), scene.annotations()
    voc, ade = root / 'VOCdevkit/VOC2007', root / 'ADEChallengeData2016'
    jpeg = voc / f'JPEGImages/{image_id}.jpg'
    _write(jpeg, _encode('.jpg', image, cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    _write(voc / f'Annotations/{image_id}.xml', voc_xml(image_id, spec.size, annotations))
    for folder in (
        ade / f'images/{ADE_FOLDER[split]}',
        root / f'coco/{split}2017',
        root / f'yolo/images/{split}',
    ):
        link_or_copy(jpeg, folder / jpeg.name)
    _write(root / f'yolo/labels/{split}/{image_id}.txt', yolo_lines(spec.size, annotations))
    _write(ade / f'annotations/{ADE_FOLDER[split]}/{image_id}.png', _encode('.png', scene.class_map()))
    for number, note in enumerate(annotations, 1):
        if not note.difficult and note.visible >= CROP_VISIBLE:
            name = f'classification/{split}/{note.name}/{image_id}_{number:03d}.png'
            _write(root / name, _encode('.png', crop(image, note.box)))
    return annotations


def write_lists(root: Path, spec: ShapesSpec):
    """Writes the lists of ids and of classes. ``trainval`` holds the training images only and
    ``test`` the validation images, so that stock configs, which train on the one and test on the
    other, never train on validation images."""
    for name, split in LISTS.items():
        lines = ''.join(f'{image_id}\n' for image_id in image_ids(spec, split))
        _write(root / f'VOCdevkit/VOC2007/ImageSets/Main/{name}.txt', lines)
    _write(root / 'yolo/data.yaml', f'train: images/train\nval: images/val\nnames: {[*CLASSES]}\n')


def differences(root: Path, spec: ShapesSpec) -> str | None:
    """What keeps the folder at ``root`` from being the set of ``spec``; empty if it is that set,
    ``None`` if nothing is there."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None
    try:
        there = dict(json.loads((root / RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return f'exists, and is not a set made by this tool (no readable {RECORD})'
    asked = record_of(spec)
    keys = [key for key in asked | there if asked.get(key) != there.get(key)]
    parts = [f'{key} {there.get(key)} instead of {asked.get(key)}' for key in keys]
    return f'exists, made with {", ".join(parts)}' if parts else ''


def _move_away(root, part):
    """Moves an old set into ``part``; anything with foreign files in it beside itself instead."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None
    if (root / RECORD).is_file() and {entry.name for entry in root.iterdir()} <= OWN_ENTRIES:
        root.rename(part / 'old')
        return None
    names = (root.with_name(f'{root.name}.bak{number}') for number in itertools.count(1))
    kept = next(path for path in names if not path.exists())
    return root.rename(kept)


def write_set(root: Path, spec: ShapesSpec) -> Path | None:
    """Writes a set below ``root``, which appears only when it is complete.

    An old set is replaced. A folder with anything else in it is kept beside ``root``, and its new
    path returned.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    jobs = [(split, image_id) for split in SPLITS for image_id in image_ids(spec, split)]
    notes = {split: {} for split in SPLITS}
    with tempfile.TemporaryDirectory(prefix=f'.{root.name}.', suffix='.part', dir=root.parent) as part:
        fresh = Path(part, 'fresh')
        fresh.mkdir()  # with the usual permissions, unlike the temporary folder
        for split, image_id in tqdm(jobs, desc=root.name, unit='image', disable=None):
            notes[split][image_id] = write_image(fresh, spec, split, image_id)
        for split in SPLITS:
            write_coco(fresh / f'coco/annotations/instances_{split}2017.json', spec.size, notes[split])
        write_lists(fresh, spec)
        _write(fresh / RECORD, json.dumps(record_of(spec), indent=2) + '\n')
        kept = _move_away(root, Path(part))
        fresh.rename(root)
    return kept
