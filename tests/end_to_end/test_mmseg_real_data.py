"""Real images through mmseg's own tools; log lines against the PNGs, counted in another way."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from tests.support.openmmlab import read_log
from tests.support.tool_runs import LOADERS, NARROW, command, run

pytestmark = [pytest.mark.slow, pytest.mark.real_data]
ADE20K = 'upernet_iterative-r50_4xb4-80k_ade20k-512x512'
VOC = 'upernet_iterative-r50-tiny_voc2007'


def reduced(path):
    """An annotation of ADE20K as 0 to 149, without a label 255."""
    mask = np.array(Image.open(path)).astype(int)
    return np.where(mask == 0, 255, mask - 1)


def objects(labels, background=None):
    """Areas of the components of at least 30 pixels, one class at a time."""
    areas = []
    for name in set(labels.ravel().tolist()) - {255, background}:
        components, _ = ndimage.label(labels == name)
        areas += [a for a in np.bincount(components.ravel())[1:] if a >= 30]
    return areas


def boundary_fraction(labels):
    """Pixel by pixel: does a walk of at most 9 steps over ignored pixels meet another class?"""
    height, width = labels.shape
    rows = labels.tolist()
    found, known = 0, 0
    for y in range(height):
        for x in range(width):
            if rows[y][x] == 255:
                continue
            known += 1
            for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                for step in range(1, 10):
                    v, u = y + step * dy, x + step * dx
                    if not (0 <= v < height and 0 <= u < width):
                        break
                    if rows[v][u] != 255:
                        break
                else:
                    continue
                if 0 <= v < height and 0 <= u < width and rows[v][u] != rows[y][x]:
                    found += 1
                    break
    return found / known


def score(predicted, true):
    """(mIoU over the true classes, pixel accuracy), class by class."""
    known = true != 255
    ious = []
    for name in set(true[known].tolist()):
        a, b = (true == name) & known, (predicted == name) & known
        ious.append((a & b).sum() / (a | b).sum())
    return np.mean(ious), (true == predicted)[known].mean()


def small(steps):
    """Options that resize and crop the images of the three loaders."""
    options = ['model.data_preprocessor.size=(64,64)', 'train_dataloader.batch_size=2', *steps]
    options += ['train_dataloader.dataset.pipeline.2.scale=(256,64)']
    options += ['train_dataloader.dataset.pipeline.3.crop_size=(64,64)']
    return options + [f'{x}.dataset.pipeline.1.scale=(256,64)' for x in LOADERS[1:]]


def test_ade20k_trains_and_tests(ade20k, tmp_path):
    env = {'ITERBACKBONE_DATA_ROOT': str(ade20k), 'OMP_NUM_THREADS': '1'}
    steps = ['train_cfg.max_iters=4', 'train_cfg.val_interval=4', 'param_scheduler.0.end=4']
    options = [*NARROW, *small([*steps, 'default_hooks.checkpoint.interval=4'])]
    run(command('mmseg', 'train', ADE20K, '--work-dir', tmp_path, options=options), **env)
    checkpoint = tmp_path / 'iter_4.pth'
    run(command('mmseg', 'test', ADE20K, checkpoint, '--work-dir', tmp_path, options=options), **env)
    (folder,) = tmp_path.glob('*/iterations/test_iter_4')
    records, predictions, meta = read_log(folder)
    assert len(records) == 9
    assert len(meta['classes']) == len(meta['palette']) == 150
    masks = Path(ade20k, 'ADEChallengeData2016/annotations/validation')
    assert [r['img_id'] for r in records] == sorted(path.stem for path in masks.iterdir())
    for record, prediction in zip(records, predictions, strict=True):
        true = reduced(masks / f'{record["img_id"]}.png')
        stored = cv2.imread(str(folder / prediction['true_map']), cv2.IMREAD_UNCHANGED)
        assert (stored == true).all()
        assert (record['height'], record['width']) == true.shape
        areas = objects(true)
        assert record['num_objects'] == len(areas)
        assert record['mean_object_area'] == pytest.approx(np.mean(areas))
        assert record['mean_relative_area'] == pytest.approx(np.mean(areas) / true.size)
        assert record['num_classes'] == len(set(true.ravel().tolist()) - {255})
        predicted = cv2.imread(str(folder / prediction['predicted_map']), cv2.IMREAD_UNCHANGED)
        assert (record['miou'], record['pixel_accuracy']) == pytest.approx(score(predicted, true))
    smallest = sorted(records, key=lambda record: record['height'] * record['width'])[:2]
    for record in smallest:
        true = reduced(masks / f'{record["img_id"]}.png')
        assert record['boundary_fraction'] == pytest.approx(boundary_fraction(true))


def test_voc2007_trains_and_validates(voc2007, tmp_path):
    env = {'ITERBACKBONE_DATA_ROOT': str(voc2007), 'OMP_NUM_THREADS': '1'}
    steps = ['train_cfg.max_epochs=1', 'train_cfg.val_interval=1']
    options = [*NARROW, *small(steps), *(f'{x}.dataset.indices=8' for x in LOADERS)]
    run(command('mmseg', 'train', VOC, '--work-dir', tmp_path, options=options), **env)
    (folder,) = tmp_path.glob('*/iterations/val_epoch_1')
    records, predictions, meta = read_log(folder)
    root = voc2007 / 'VOCdevkit/VOC2007'
    ids = (root / 'ImageSets/Segmentation/val.txt').read_text().split()
    assert (len(ids), meta['dataset']['num_images']) == (213, 8)
    assert [record['img_id'] for record in records] == ids[:8]
    assert (meta['classes'][0], len(meta['classes'])) == ('background', 21)
    for record, prediction in zip(records, predictions, strict=True):
        true = np.array(Image.open(root / f'SegmentationClass/{record["img_id"]}.png')).astype(int)
        stored = cv2.imread(str(folder / prediction['true_map']), cv2.IMREAD_UNCHANGED)
        assert (stored == true).all()
        areas = objects(true, background=0)
        assert record['num_objects'] == len(areas)
        assert record['mean_object_area'] == (pytest.approx(np.mean(areas)) if areas else None)
        assert 'background' in record['class_names'] or not (true == 0).any()
        assert record['boundary_fraction'] > 0
