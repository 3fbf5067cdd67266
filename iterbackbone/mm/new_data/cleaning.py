"""Leaves out what would stop a training, or teach it nonsense."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import mmcv
from PIL import ExifTags, Image
from tqdm.contrib.concurrent import thread_map

from ...files import IMAGE_FORMATS
from .folder import Folder, Picture
from .layouts import Dataset

Frame = tuple[tuple[int, int], int]  # (W, H) as mmcv shows a picture, and its EXIF orientation, 1 to 8


def cleaned(dataset: Dataset, folder: Folder) -> Dataset:
    """Readable pictures, with size, and boxes inside them in pixels, as mmcv shows them by EXIF."""
    files = [picture.file for picture in dataset.pictures]
    frames = thread_map(_frame, files, unit='image', disable=None)
    kept: dict[Path, Picture] = {}
    for picture, frame in zip(dataset.pictures, frames, strict=True):
        if isinstance(frame, str):
            folder.wrong(frame, str(picture.file))
        elif picture.file in kept:
            folder.wrong('picture listed twice, second left out', picture.file.name)
        elif dataset.task == 'classification':
            kept[picture.file] = picture
        else:
            kept[picture.file] = _fitted(picture, frame, dataset.classes, folder)
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
        str(file).encode()
        with Image.open(file, formats=IMAGE_FORMATS) as image:
            turn = image.getexif().get(ExifTags.Base.Orientation, 1)
            image.draft('RGB', (1, 1))  # reads the whole file, at an eighth of the size
            image.load()
        height, width = mmcv.imread(file).shape[:2]
    except UnicodeEncodeError:
        return 'picture whose name is not UTF-8, left out'
    except Exception:  # a broken file may raise anything, and of some mmcv makes None
        return 'picture unreadable, left out'
    return (width, height), turn


def _fitted(picture: Picture, frame: Frame, classes: list[str], folder: Folder) -> Picture:
    """With its boxes in the frame that is shown."""
    shown, turn = frame
    on_side = turn in (5, 6, 7, 8)
    turned = on_side and shown != picture.size == shown[::-1]  # boxes are of the picture as it lies
    if turn != 1:
        how = 'boxes turned with it' if turned else 'boxes taken as it is shown'
        folder.wrong(f'picture turned by EXIF, {how}', picture.file.name)
    elif picture.size not in (None, shown):
        what = f'{picture.file.name}: {picture.size}, {shown}'
        folder.wrong('stated size is not that of the picture, which counts', what)
    scale = shown * 2 if picture.relative else (1, 1, 1, 1)
    boxes = []
    for box in picture.boxes:
        stated = [value * factor for value, factor in zip(box.xywh, scale, strict=True)]
        xywh, wrong = _inside(_turned(stated, *frame) if turned else stated, shown)
        if box.name not in classes:
            wrong = f'box {"of an unknown class" if box.name else "without a class name"}, left out'
        if wrong:
            what = f'{picture.file.name}: {box.name} {[round(v, 3) for v in box.xywh]}'
            folder.wrong(wrong, what)
        if not wrong.endswith('left out'):
            boxes.append(box._replace(xywh=xywh))
    return picture._replace(boxes=boxes, size=shown)


def _turned(xywh: Sequence[float], shown: tuple[int, int], turn: int) -> list[float]:
    """As EXIF's 5 to 8 say: mirrored, 90 degrees, mirrored, 270 degrees."""
    x, y, w, h = xywh
    left = shown[0] - y - h if turn in (6, 7) else y
    return [left, shown[1] - x - w if turn in (7, 8) else x, h, w]


def _inside(xywh: Sequence[float], size: tuple[int, int]) -> tuple[tuple[float, ...], str]:
    """A box cut at the borders of a picture of a size, and what is wrong with it."""
    x, y, w, h = xywh
    left, top = max(x, 0.0), max(y, 0.0)
    width, height = min(x + w, size[0]) - left, min(y + h, size[1]) - top
    wrong = ''
    if not all(map(math.isfinite, xywh)):
        wrong = 'broken box, left out'
    elif w < 1 or h < 1:
        wrong = 'box without area, left out'
    elif width < 1 or height < 1:
        wrong = 'box outside the picture, left out'
    elif max(w - width, h - height) > 1.5:  # px; less is a tool that counts from 0 and not from 1
        wrong = 'box reaches outside the picture, cut'
    return tuple(round(v, 2) for v in (left, top, width, height)), wrong
