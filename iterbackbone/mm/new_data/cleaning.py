"""Leaves out what would stop a training, or teach it nonsense."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import mmcv
from PIL import ExifTags, Image
from tqdm import tqdm

from ...files import IMAGE_FORMATS
from .folder import Box, Folder, Picture
from .layouts import Dataset


class Frame(NamedTuple):
    """(W, H) of a picture as mmcv shows it and as it is stored, and its EXIF orientation, 1 to 8."""

    shown: tuple[int, int]
    stored: tuple[int, int]
    turn: int


def cleaned(dataset: Dataset, folder: Folder) -> Dataset:
    """Readable pictures, with their size and with boxes in pixels inside them.

    Boxes are in the frame that mmcv shows: it turns a picture as its EXIF tag says.
    """
    with ThreadPoolExecutor() as pool:
        files = [picture.file for picture in dataset.pictures]
        frames = list(tqdm(pool.map(_frame, files), total=len(files), unit='image', disable=None))
    kept: dict[Path, Picture] = {}
    for picture, frame in zip(dataset.pictures, frames, strict=True):
        if isinstance(frame, str):
            folder.wrong(frame, str(picture.file))
        elif picture.file in kept:
            folder.wrong('picture listed twice, second left out', picture.file.name)
        elif dataset.task == 'classification':
            kept[picture.file] = picture
        else:
            boxes = [_inside(box, picture, frame, dataset.classes, folder) for box in picture.boxes]
            _check_frame(picture, frame, folder)
            boxes = [box for box in boxes if box]
            kept[picture.file] = picture._replace(boxes=boxes, size=frame.shown)
    answered = {picture.split for picture in kept.values() if picture.boxes}
    for file, picture in list(kept.items()):
        if answered and picture.split not in answered:  # a test split whose answers are not public
            folder.wrong('picture of a split without any box, left out', kept.pop(file).file.name)
    used = {box.name for picture in kept.values() for box in picture.boxes}
    for name in (name for name in dataset.classes if name not in used):
        folder.wrong('class without a box or picture, left out', name)
    classes = [name for name in dataset.classes if name in used]
    return dataset._replace(pictures=list(kept.values()), classes=classes)


def _frame(file: Path) -> Frame | str:
    """Or what is wrong."""
    if not file.is_file():
        return 'picture missing, left out'
    try:
        with Image.open(file, formats=IMAGE_FORMATS) as image:
            stored, turn = image.size, image.getexif().get(ExifTags.Base.Orientation, 1)
            image.draft('RGB', (1, 1))  # reads the whole file, at an eighth of the size
            image.load()
        height, width = mmcv.imread(file).shape[:2]
    except Exception:  # a broken file may raise anything, and of some mmcv makes None
        return 'picture unreadable, left out'
    return Frame((width, height), stored, turn)


def _turned(picture: Picture, frame: Frame) -> bool:
    """Whether the boxes are in the frame of the stored picture, which lies on its side."""
    return frame.shown != frame.stored == picture.size


def _check_frame(picture: Picture, frame: Frame, folder: Folder) -> None:
    if frame.turn != 1:
        boxes = 'boxes turned with it' if _turned(picture, frame) else 'boxes taken as it is shown'
        folder.wrong(f'picture turned by EXIF, {boxes}', picture.file.name)
    elif picture.size and all(picture.size) and picture.size != frame.shown:
        what = f'{picture.file.name}: {picture.size}, {frame.shown}'
        folder.wrong('stated size is not that of the picture, which counts', what)


def _inside(box: Box, picture: Picture, frame: Frame, classes: list[str], folder: Folder) -> Box | None:
    """A box in pixels, cut at the picture's borders; None if less than a pixel is left."""
    scale = frame.shown * 2 if picture.relative else (1, 1, 1, 1)
    x, y, w, h = (value * factor for value, factor in zip(box.xywh, scale, strict=True))
    if _turned(picture, frame):  # EXIF's 5 to 8: mirrored, 90 degrees, mirrored, 270 degrees
        across, down = frame.stored
        x, y = (
            down - y - h if frame.turn in (6, 7) else y,
            across - x - w if frame.turn in (7, 8) else x,
        )
        w, h = h, w
    left, top = max(x, 0.0), max(y, 0.0)
    width, height = min(x + w, frame.shown[0]) - left, min(y + h, frame.shown[1]) - top
    wrong = ''
    if box.name not in classes:
        wrong = 'box of an unknown class, left out'
    elif not all(map(math.isfinite, (x, y, w, h))) or w < 1 or h < 1:
        wrong = 'box without area, left out'
    elif width < 1 or height < 1:
        wrong = 'box outside the picture, left out'
    elif max(w - width, h - height) > 1.5:  # px; less is a tool that counts from 0 and not from 1
        wrong = 'box reaches outside the picture, cut'
    if wrong:
        folder.wrong(wrong, f'{picture.file.name}: {box.name} {[round(v, 3) for v in box.xywh]}')
    if wrong.endswith('left out'):
        return None
    return box._replace(xywh=tuple(round(v, 2) for v in (left, top, width, height)))
