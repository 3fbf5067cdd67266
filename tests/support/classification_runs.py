"""Small classification data in every form the configs read, and the configs at a small size."""

from __future__ import annotations

import copy
import functools
import hashlib
import os
import pickle

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.datasets import CIFAR10, CIFAR100
from mmpretrain.datasets.categories import CIFAR10_CATEGORIES, CIFAR100_CATEGORIES

from iterbackbone.__main__ import config_root
from tests.support.openmmlab import ONE_WORKERLESS

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
WIDTH = 8
TINY = 'classification/iterative-tiny_1xb64_cifar10-subset.py'


def pictures(count: int) -> np.ndarray:
    """(count, 32, 32, 3) uint8: noise on a colour of its own each."""
    generator = np.random.default_rng(0)
    colour = generator.integers(40, 200, (count, 1, 1, 3))
    return (colour + generator.integers(0, 40, (count, 32, 32, 3))).astype(np.uint8)


def write_class_folders(root, train: int = 2, test: int = 1) -> None:
    """``cifar10/{train,test}/CLASS/NUMBER.png``, so many images of each of the ten classes."""
    for split, per_class in (('train', train), ('test', test)):
        images = pictures(10 * per_class)
        for i, image in enumerate(images):
            name = CIFAR10_CATEGORIES[i % 10]
            path = root / 'cifar10' / split / name / f'{i // 10:04d}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)


def write_archive(root, num_classes: int) -> tuple[np.ndarray, list[int], dict[str, str]]:
    """An unpacked archive of CIFAR with ten images a file.

    Returns:
        The test images (10, 32, 32, 3) RGB, their labels, and the MD5 sum of each file.
    """
    official = {10: CIFAR10, 100: CIFAR100}[num_classes]
    key, names = {10: ('labels', CIFAR10_CATEGORIES), 100: ('fine_labels', CIFAR100_CATEGORIES)}[
        num_classes
    ]
    folder = root / f'cifar{num_classes}' / official.base_folder
    folder.mkdir(parents=True)
    images, labels = pictures(10), [(7 * i) % num_classes for i in range(10)]
    content = {'data': images.transpose(0, 3, 1, 2).reshape(10, -1), key: labels}
    files = {name: content for name, _ in official.train_list + official.test_list}
    files[official.meta['filename']] = {official.meta['key']: list(names)}
    sums = {}
    for name, value in files.items():
        data = pickle.dumps(value, protocol=2)
        (folder / name).write_bytes(data)
        sums[name] = hashlib.md5(data).hexdigest()
    return images, labels, sums


def accept(monkeypatch, dataset_class, sums: dict[str, str]) -> None:
    """Make a CIFAR class, mmpretrain's or torchvision's, expect these MD5 sums."""
    for name in ('train_list', 'test_list'):
        files = [[file, sums[file]] for file, _ in getattr(dataset_class, name)]
        monkeypatch.setattr(dataset_class, name, files)
    meta = dataset_class.meta
    monkeypatch.setattr(dataset_class, 'meta', {**meta, 'md5': sums[meta['filename']]})


def load(name: str) -> Config:
    """A classification config as it is, with CIFAR from the official archive."""
    return copy.deepcopy(_load(name))  # mmengine reads all of mmpretrain's index files each time


@functools.cache
def _load(name: str) -> Config:
    os.environ.pop('ITERBACKBONE_CIFAR', None)
    init_default_scope('mmpretrain')
    return Config.fromfile(config_root() / name)


def classifier_config(root, work_dir, name=TINY, source='png') -> Config:
    """A classification config at width 8 on the small data below ``root``, without workers."""
    cfg = load(name)
    init_default_scope('mmpretrain')
    data = Config.fromfile(config_root() / f'_base_/datasets/cifar10_{source}.py')
    for loader in LOADERS:
        cfg[loader] = {**data[loader], **ONE_WORKERLESS, 'batch_size': 2}
        cfg[loader]['dataset']['data_root'] = f'{root}/cifar10'
    cfg.data_preprocessor = data.data_preprocessor
    backbone, head = cfg.model.backbone, cfg.model.head
    head.in_channels = head.in_channels * WIDTH // backbone.get('base_channels', 64)
    backbone.update(base_channels=WIDTH, init_cfg=None)
    if 'Iterative' not in backbone.type:
        backbone.stem_channels = WIDTH
    if 'dtype' in cfg.optim_wrapper:  # mmengine's mixed precision needs a GPU
        cfg.optim_wrapper.type = 'OptimWrapper'
        del cfg.optim_wrapper.dtype
    cfg.work_dir, cfg.log_level, cfg.randomness = str(work_dir), 'WARNING', dict(seed=0)
    return cfg
