"""VOC2007 boxes as dense labels: each cell is to name the class of the smallest box around it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmseg.datasets import PascalVOCDataset
from mmseg.registry import DATASETS, TRANSFORMS

CLASSES = PascalVOCDataset.METAINFO['classes'][1:]
IGNORED = 255
CELL = 16  # pixels
PARTS = {'train': slice(1400), 'fit': slice(1400, 1900), 'calibrate': slice(1900, 2100)}
PARTS['test'] = slice(2100, None)


@DATASETS.register_module()
class VOCCells(BaseDataset):
    """Images of VOC2007 with their boxes; no two parts share an image.

    Args:
        data_root: ``VOC2007``, with ``ImageSets/Main/train.txt`` and ``val.txt``.
        part: One of ``PARTS``.
        pipeline: Begins with LoadImageFromFile and BoxMap.
        seed: Which images belong to which part.
    """

    METAINFO = dict(classes=CLASSES, palette=PascalVOCDataset.METAINFO['palette'][1:])

    def __init__(self, data_root: str, part: str, pipeline: list, seed: int = 0) -> None:
        if part not in PARTS:
            raise ValueError(f'part must be one of {tuple(PARTS)}, got {part!r}')
        self.part, self.seed = part, seed
        super().__init__(data_root=data_root, pipeline=pipeline, serialize_data=False)

    def load_data_list(self) -> list[dict]:
        root = Path(self.data_root)
        lists = [root / 'ImageSets' / 'Main' / f'{part}.txt' for part in ('train', 'val')]
        names = sorted({name for file in lists for name in file.read_text().split()})
        np.random.default_rng(self.seed).shuffle(names)
        return [
            dict(
                img_id=name,
                img_path=str(root / 'JPEGImages' / f'{name}.jpg'),
                boxes=read_boxes(root / 'Annotations' / f'{name}.xml'),
                seg_fields=[],
            )
            for name in names[PARTS[self.part]]
        ]


def read_boxes(file: Path) -> list[tuple[int, list[float]]]:
    """(class, [x1, y1, x2, y2] in pixels) of each object, the largest first."""
    found = []
    for thing in ET.parse(file).iter('object'):
        box = thing.find('bndbox')
        corners = [float(box.find(key).text) for key in ('xmin', 'ymin', 'xmax', 'ymax')]
        found.append((CLASSES.index(thing.find('name').text), corners))
    return sorted(found, key=lambda item: -_area(item[1]))


def _area(box: list[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


@TRANSFORMS.register_module()
class BoxMap(BaseTransform):
    """Draws ``gt_seg_map`` (H, W) from boxes, the smallest on top; pixels of none are ignored.

    A box is drawn at least ``1 / smallest`` of the image's short side wide and high, so that each
    object has a cell. ``object_size`` is the mean root of the boxes' areas over that side.
    """

    def __init__(self, smallest: float) -> None:
        self.smallest = smallest

    def transform(self, results: dict) -> dict:
        height, width = results['img'].shape[:2]
        least = min(height, width) / self.smallest / 2
        seg = np.full((height, width), IGNORED, np.uint8)
        for label, (x1, y1, x2, y2) in results['boxes']:
            x, y = (x1 + x2) / 2, (y1 + y2) / 2
            half_x, half_y = max((x2 - x1) / 2, least), max((y2 - y1) / 2, least)
            left, top = max(0, round(x - half_x)), max(0, round(y - half_y))
            seg[top : round(y + half_y) + 1, left : round(x + half_x) + 1] = label
        results['gt_seg_map'] = seg
        results['seg_fields'] = ['gt_seg_map']
        sizes = [_area(box) ** 0.5 for _, box in results['boxes']]
        results['object_size'] = float(np.mean(sizes)) / min(height, width)
        return results


@TRANSFORMS.register_module()
class CellLabels(BaseTransform):
    """Keeps the label at the centre of each cell: predictions come back at ``ori_shape``."""

    def transform(self, results: dict) -> dict:
        results['gt_seg_map'] = results['gt_seg_map'][CELL // 2 :: CELL, CELL // 2 :: CELL].copy()
        results['ori_shape'] = results['gt_seg_map'].shape
        return results
