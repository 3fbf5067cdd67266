"""Labelled images of one size in two arrays, cropped and turned as a batch: what a CPU can feed.

``pack_images.py`` makes the arrays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dataset import BaseDataset
from mmengine.optim import OptimWrapper
from mmengine.registry import FUNCTIONS, OPTIM_WRAPPERS
from mmpretrain.models import ClsDataPreprocessor, LinearClsHead
from mmpretrain.registry import DATASETS, MODELS
from mmpretrain.structures import DataSample
from torch import Tensor


@DATASETS.register_module()
class PackedImages(BaseDataset):
    """The images of one part, read from a memory-mapped array.

    Args:
        data_root: Folder with the packed arrays.
        part: Such as ``'train'``.
        indices: Use so many images only, chosen at random, always the same.
    """

    def __init__(self, data_root: str, part: str, indices: int | None = None) -> None:
        self.part, self.count = part, indices
        super().__init__(data_root=data_root, lazy_init=False, serialize_data=False)

    def load_data_list(self) -> list[dict]:
        root = Path(self.data_root)
        self.images = np.load(root / f'{self.part}.npy', mmap_mode='r')
        labels = np.load(root / f'{self.part}_labels.npy')
        chosen = np.arange(len(labels))
        if self.count is not None:
            chosen = np.sort(np.random.default_rng(0).permutation(len(labels))[: self.count])
        return [dict(index=int(i), label=int(labels[i])) for i in chosen]

    def __getitem__(self, i: int) -> dict:
        item = self.data_list[i]
        image = torch.from_numpy(self.images[item['index']].copy()).permute(2, 0, 1)
        sample = DataSample().set_gt_label(item['label'])
        shape = tuple(image.shape[1:])
        sample.set_metainfo(dict(sample_idx=i, img_shape=shape, ori_shape=shape))
        return dict(inputs=image, data_samples=sample)


@DATASETS.register_module()
class PackedBatches(PackedImages):
    """The same, a whole batch read at once; needs ``collate_fn=dict(type='whole_batch')``.

    A target is a row of class probabilities: the label, smoothed, and what a teacher says
    (``pretraining/teacher.py`` writes ``train_teacher.npy``).

    Args:
        smoothing: Share of a label that is spread over all classes.
        teacher: Share of the teacher in a target; the rest is the label.
        device: Where the images are kept; ``'cpu'``: in their file. Others need ``num_workers=0``.
        options: Of :class:`PackedImages`.
    """

    def __init__(
        self, smoothing: float = 0.0, teacher: float = 0.0, device: str = 'cpu', **options: Any
    ) -> None:
        self.smoothing, self.teacher_share, self.device = smoothing, teacher, device
        super().__init__(**options)

    def load_data_list(self) -> list[dict]:
        items = super().load_data_list()
        root = Path(self.data_root)
        self.labels = torch.from_numpy(np.load(root / f'{self.part}_labels.npy')).long()
        self.classes = int(self.labels.max()) + 1
        if self.teacher_share:
            self.teacher = torch.from_numpy(np.load(root / f'{self.part}_teacher.npy'))
            self.classes = self.teacher.shape[1]
        if self.device != 'cpu':
            self.images = torch.from_numpy(np.load(root / f'{self.part}.npy')).to(self.device)
        return items

    def __getitems__(self, indices: list[int]) -> dict:
        chosen = [self.data_list[i]['index'] for i in indices]
        labels = F.one_hot(self.labels[chosen], self.classes).float()
        targets = (1 - self.smoothing) * labels + self.smoothing / self.classes
        if self.teacher_share:
            targets = torch.lerp(targets, self.teacher[chosen].float(), self.teacher_share)
        images = torch.as_tensor(self.images[chosen])
        return dict(inputs=images.permute(0, 3, 1, 2), targets=targets)


@FUNCTIONS.register_module()
def whole_batch(batch: dict) -> dict:
    """Nothing to collate."""
    return batch


@MODELS.register_module()
class BatchCrops(ClsDataPreprocessor):
    """Normalises, and in training crops, resizes and flips, a whole batch at once.

    Crops are sampled without antialiasing, which evaluation's resizing has: where a crop shrinks, by
    at most the image's side over ``size``, training images are a little sharper.

    Args:
        size: Side of the images that the network gets, in pixels.
        train_sizes: Of these one is drawn for each batch in training; default: ``size`` alone.
        scale: Smallest and largest area of a training crop, as a share of the image.
        ratio: Largest aspect ratio of a training crop.
        options: Of mmpretrain's ClsDataPreprocessor: ``mean``, ``std``.
    """

    def __init__(
        self,
        size: int,
        train_sizes: Sequence[int] | None = None,
        scale: tuple[float, float] = (0.4, 1.0),
        ratio: float = 4 / 3,
        **options: Any,
    ) -> None:
        super().__init__(to_rgb=False, **options)
        self.size, self.scale, self.ratio = size, scale, ratio
        self.train_sizes = train_sizes

    def forward(self, data: dict, training: bool = False) -> dict:
        data = self.cast_data(data)
        if 'targets' in data:
            data['data_samples'] = data.pop('targets')
        x = data['inputs']
        x = torch.stack(list(x)) if not isinstance(x, Tensor) else x
        x = (x.float() - self.mean) / self.std
        if training:
            x = self._cropped(x)
        elif x.shape[-1] != self.size:
            x = F.interpolate(x, size=self.size, mode='bilinear', antialias=True, align_corners=False)
        data['inputs'] = x.contiguous(memory_format=torch.channels_last)
        return data

    def _cropped(self, x: Tensor) -> Tensor:
        n = len(x)
        sizes = self.train_sizes or (self.size,)
        size = sizes[int(torch.randint(len(sizes), ()))]
        area = torch.empty(n, device=x.device).uniform_(*self.scale)
        aspect = torch.empty(n, device=x.device).uniform_(-1, 1) * math.log(self.ratio)
        half = (area.sqrt()[:, None] * torch.stack([aspect / 2, -aspect / 2], 1).exp()).clamp(max=1)
        centre = (2 * torch.rand(n, 2, device=x.device) - 1) * (1 - half)
        flip = torch.where(torch.rand(n, device=x.device) < 0.5, -1.0, 1.0)
        theta = torch.zeros(n, 2, 3, device=x.device)
        theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = half[:, 0] * flip, half[:, 1], centre
        grid = F.affine_grid(theta, [n, 3, size, size], align_corners=False)
        return F.grid_sample(x, grid, padding_mode='reflection', align_corners=False)


@MODELS.register_module()
class Float32Head(LinearClsHead):
    """Linear classifier whose logits and loss are float32 under autocast.

    A whole batch's class probabilities, (B, classes), may stand for its samples: a DataSample for
    each image takes longer than a GPU's training step.
    """

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        with torch.autocast(feats[-1].device.type, enabled=False):
            return super().forward((feats[-1].float(),))

    def _get_loss(self, cls_score: Tensor, data_samples: Any, **options: Any) -> dict:
        if not isinstance(data_samples, Tensor):
            return super()._get_loss(cls_score, data_samples, **options)
        return dict(loss=self.loss_module(cls_score, data_samples, **options))


@OPTIM_WRAPPERS.register_module()
class Bfloat16OptimWrapper(OptimWrapper):
    """Autocast to bfloat16 where the model is; mmengine's AmpOptimWrapper refuses the CPU."""

    @contextmanager
    def optim_context(self, model):
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, dtype=torch.bfloat16):
            yield
