"""Canvases tiled with real images of one size: dense classification with known object sizes.

A canvas of 128x128 pixels holds one image of 128, four of 64 or sixteen of 32 pixels; cells of
16x16 pixels carry the class of the image they lie in. Canvases are made from a folder of class
folders (Tiny-ImageNet, CIFAR or Imagenette), from (seed, index), so that they repeat anywhere.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dataset import BaseDataset
from mmengine.structures import PixelData
from mmseg.registry import DATASETS
from mmseg.structures import SegDataSample
from PIL import Image, ImageOps
from torch import Tensor

PARTS = ('train', 'fit', 'calibrate', 'test')
CELL = 16  # pixels


@DATASETS.register_module()
class MosaicDataset(BaseDataset):
    """Canvases of one part of the source images; no two parts share an image.

    Args:
        data_root: With one folder of images for each class, perhaps below ``train``.
        part: One of ``PARTS``: of each class 80% of the images train, 7% fit, 3% calibrate, 10% test.
        length: Number of canvases.
        seed: Of the canvases; the parts do not depend on it.
        classes: Number of classes, the first by name.
        size: Of a canvas, in pixels.
        tiles: Sizes of the tiles, in pixels; canvas i has those of size ``tiles[i % len(tiles)]``.
        pool: Source images of a pool, or 0. A canvas is made from one pool, so that pools are
            independent; ``img_id`` is ``POOL_INDEX``.
    """

    def __init__(
        self,
        data_root: str,
        part: str,
        length: int,
        seed: int = 0,
        classes: int = 20,
        size: int = 128,
        tiles: tuple[int, ...] = (128, 64, 32),
        pool: int = 0,
    ) -> None:
        if part not in PARTS:
            raise ValueError(f'part must be one of {PARTS}, got {part!r}')
        if any(size % tile or tile % CELL for tile in tiles):
            raise ValueError(f'tiles must divide size and be multiples of {CELL}, got {tiles}, {size}')
        self.part, self.length, self.seed = part, length, seed
        self.classes, self.size, self.tiles, self.pool_size = classes, size, tiles, pool
        super().__init__(data_root=data_root, lazy_init=False, serialize_data=False)

    def load_data_list(self) -> list[dict]:
        root = Path(self.data_root)
        root = root / 'train' if (root / 'train').is_dir() else root
        folders = sorted(f for f in root.iterdir() if f.is_dir())[: self.classes]
        self._metainfo = dict(classes=tuple(f.name for f in folders), palette=None)
        images, labels = [], []
        for label, folder in enumerate(folders):
            files = _part_of(sorted(folder.iterdir()), self.part)
            images += [_square(f, self.size) for f in files]
            labels += [label] * len(files)
        self.images = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        self.labels = torch.tensor(labels)
        order = np.random.default_rng(0).permutation(len(images))
        size = self.pool_size or len(order)
        self.pools = list(order[: len(order) // size * size].reshape(-1, size))
        return [dict(index=i) for i in range(self.length)]

    def __getitem__(self, i: int) -> dict:
        rng = np.random.default_rng((self.seed, PARTS.index(self.part), i))
        pool = (i // len(self.tiles)) % len(self.pools)
        tile = self.tiles[i % len(self.tiles)]
        side = self.size // tile
        chosen = torch.from_numpy(rng.choice(self.pools[pool], side * side))
        flips = torch.from_numpy(rng.random(side * side) < 0.5)
        canvas = _tiled(self.images[chosen], flips, tile, side)
        cells = self.labels[chosen].view(side, side)
        cells = cells.repeat_interleave(tile // CELL, 0).repeat_interleave(tile // CELL, 1)
        sample = SegDataSample(gt_sem_seg=PixelData(data=cells.unsqueeze(0)))
        # Predictions come back at ori_shape: one label a cell.
        sample.set_metainfo(
            dict(
                img_id=f'{pool}_{i}',
                pool=f'{self.part}_{pool}',
                tile=tile,
                img_shape=(self.size, self.size),
                ori_shape=tuple(cells.shape),
            )
        )
        return dict(inputs=canvas, data_samples=sample)


def _square(file: Path, largest: int) -> np.ndarray:
    """A picture's central square, (s, s, 3) uint8, s at most ``largest`` pixels."""
    with Image.open(file) as image:
        side = min(*image.size, largest)
        return np.asarray(ImageOps.fit(image.convert('RGB'), (side, side), Image.Resampling.LANCZOS))


def _part_of(files: list[Path], part: str) -> list[Path]:
    ends = [0, *(len(files) * share // 100 for share in (80, 87, 90, 100))]
    k = PARTS.index(part)
    return files[ends[k] : ends[k + 1]]


def _tiled(images: Tensor, flips: Tensor, tile: int, side: int) -> Tensor:
    """(side * side, 3, h, w) uint8 -> (3, side * tile, side * tile) uint8."""
    x = torch.where(flips.view(-1, 1, 1, 1), images.flip(3), images)
    if x.shape[-1] != tile:
        x = F.interpolate(x.float(), size=tile, mode='bilinear', antialias=True, align_corners=False)
        x = x.round().clamp(0, 255).byte()
    x = x.view(side, side, 3, tile, tile).permute(2, 0, 3, 1, 4)
    return x.reshape(3, side * tile, side * tile).contiguous()
