"""The split, and its files beside the config."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

from .folder import Picture
from .layouts import Dataset

SEED, HELD_OUT = 0, 5  # every fifth picture validates where the folder has no splits


def split(dataset: Dataset) -> tuple[dict[str, list[Picture]], bool]:
    """Pictures to train, to validate and perhaps to test with; whether the split is made here.

    Raises:
        ValueError: too little is left.
    """
    parts: dict[str, list[Picture]] = {'train': [], 'val': [], 'test': []}
    for picture in dataset.pictures:
        parts[picture.split or 'train'].append(picture)
    parts['val'] = parts['val'] or parts.pop('test')
    made = not (parts['train'] and parts['val'])
    if made:
        pool = sorted(dataset.pictures, key=lambda picture: str(picture.file))
        random.Random(SEED).shuffle(pool)
        if dataset.task == 'classification':
            pool.sort(key=lambda picture: picture.boxes[0].name)  # every fifth of each class
        val = range(len(pool))[HELD_OUT - 1 :: HELD_OUT] or [len(pool) - 1]
        train = [each for number, each in enumerate(pool) if number not in val]
        parts = {'train': train, 'val': [pool[number] for number in val if pool]}
    if not any(picture.boxes for picture in parts['train']):
        raise ValueError(
            '--data has too little that can be used: no training picture with a box or class'
        )
    return {name: pictures for name, pictures in parts.items() if pictures}, made


def write(target: Path, folder: Path, dataset: Dataset, parts: dict[str, list[Picture]]) -> None:
    """COCO's JSON of each part for CocoDataset, or a list for mmpretrain's CustomDataset."""
    target.mkdir()
    numbers = {name: number for number, name in enumerate(dataset.classes)}
    for name, pictures in parts.items():
        files = [os.path.relpath(picture.file, folder) for picture in pictures]
        if dataset.task == 'detection':
            text, suffix = json.dumps(_coco(pictures, files, numbers)), 'json'
        else:
            labels = (numbers[picture.boxes[0].name] for picture in pictures)
            text, suffix = ''.join(f'{f} {n}\n' for f, n in zip(files, labels, strict=True)), 'txt'
        (target / f'{name}.{suffix}').write_text(text, encoding='utf-8')


def _coco(pictures: list[Picture], files: list[str], numbers: dict[str, int]) -> dict:
    images = [
        dict(zip(('id', 'file_name', 'width', 'height'), (number, file, *picture.size), strict=True))
        for number, (picture, file) in enumerate(zip(pictures, files, strict=True))
    ]
    boxes = [(number, box) for number, picture in enumerate(pictures) for box in picture.boxes]
    annotations = [
        dict(
            id=number,
            image_id=image,
            category_id=numbers[box.name],
            bbox=box.xywh,
            area=box.xywh[2] * box.xywh[3],
            iscrowd=int(box.ignored),
        )
        for number, (image, box) in enumerate(boxes, 1)
    ]
    categories = [dict(id=number, name=name) for name, number in numbers.items()]
    return dict(info={}, images=images, annotations=annotations, categories=categories)
