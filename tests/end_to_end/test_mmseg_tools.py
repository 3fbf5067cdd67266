"""Through mmseg's own, unmodified tools: train, SIGKILL, resume, test, test-time augmentation."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from support import read_log
from tool_runs import LOADERS, command, kill_after, losses, run

from iterbackbone.__main__ import config_path

pytestmark = pytest.mark.slow
SHAPES = 'upernet_iterative-r50-tiny_shapes'
ADE20K = 'upernet_iterative-r50_4xb4-80k_ade20k-512x512'
VOC = 'upernet_iterative-r50-tiny_voc2007'
NARROW = [
    'model.backbone.base_channels=8',
    'model.decode_head.in_channels=[32,64,128,256]',
    'model.decode_head.channels=16',
    'model.auxiliary_head.in_channels=128',
    'model.auxiliary_head.channels=16',
]
TTA = """
_base_ = {base!r}
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='Resize', scale_factor=factor, keep_ratio=True) for factor in (1.0, 2.0)],
        [dict(type='RandomFlip', prob=p, direction='horizontal') for p in (0.0, 1.0)],
        [dict(type='LoadAnnotations')],
        [dict(type='PackSegInputs')],
    ]),
]
"""


@pytest.fixture(scope='module')
def trained(shapes_root, tmp_path_factory):
    """A training that was killed behind its first checkpoint and resumed; losses before the kill."""
    env = {'ITERBACKBONE_SHAPES_ROOT': str(shapes_root), 'OMP_NUM_THREADS': '1'}
    options = [*NARROW, 'train_cfg.max_epochs=8', 'train_cfg.val_interval=1', 'param_scheduler.1.end=8']
    options += ['default_hooks.logger.interval=1', 'train_dataloader.batch_size=4']
    work_dir = tmp_path_factory.mktemp('killed')

    def train(*args):
        return command('mmseg', 'train', SHAPES, '--work-dir', work_dir, *args, options=options)

    kill_after(train(), work_dir, 'last_checkpoint', **env)
    before = losses(work_dir)
    run(train('--resume'), **env)
    return work_dir, before, env


def test_killed_and_resumed_training_goes_on_to_the_end(trained):
    work_dir, before, _ = trained
    assert 2 <= len(before) < 16  # of 8 images, 4 a step, 8 epochs
    resumed = losses(work_dir)[len(before) :]
    steps = [step for step, _ in resumed]
    assert 2 < steps[0] <= len(before) + 1  # went on behind a checkpoint
    assert steps[0] % 2 == 1
    assert steps == list(range(steps[0], 17))
    assert all(math.isfinite(loss) for _, loss in resumed)
    state = torch.load(work_dir / 'epoch_8.pth', weights_only=False)
    assert (state['meta']['epoch'], state['meta']['iter']) == (8, 16)
    for folder in work_dir.glob('*/iterations/val_epoch_*'):
        complete = (folder / 'meta.json').exists()
        assert complete == (not list(folder.rglob('*.part')))


def test_the_checkpoint_is_tested(trained, tmp_path):
    work_dir, _, env = trained
    checkpoint = work_dir / 'epoch_8.pth'
    test = command('mmseg', 'test', SHAPES, checkpoint, '--work-dir', tmp_path, options=NARROW)
    assert 'mIoU' in run(test, **env)
    (folder,) = tmp_path.glob('*/iterations/test_epoch_8')
    records, predictions, meta = read_log(folder)
    assert len(records) == len(predictions) == 5
    assert meta['checkpoint'] == str(checkpoint)
    (val,) = work_dir.glob('*/iterations/val_epoch_8')
    assert read_log(val)[:2] == (records, predictions)
    for name in [prediction['predicted_map'] for prediction in predictions]:
        assert (folder / name).read_bytes() == (val / name).read_bytes()


def test_the_checkpoint_is_tested_with_augmentation(trained, tmp_path):
    work_dir, _, env = trained
    config = tmp_path / 'with_tta.py'
    config.write_text(TTA.format(base=str(config_path(SHAPES))))
    test = command('mmseg', 'test', SHAPES, work_dir / 'epoch_8.pth', '--tta', '--work-dir', tmp_path)
    test[2] = config
    assert 'mIoU' in run([*test, *NARROW], **env)
    (folder,) = tmp_path.glob('*/iterations/test_epoch_8')
    records, _, meta = read_log(folder)
    assert {record['num_calls'] for record in records} == {4}
    assert meta['mac_table']['input_size'] == [128, 192]
    (val,) = work_dir.glob('*/iterations/val_epoch_8')
    for record, single in zip(records, read_log(val)[0], strict=True):
        assert record['macs_full'] > 9 * single['macs_full']  # 2 of one size and 2 of four times it
        assert record['num_objects'] == single['num_objects']


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


@pytest.mark.real_data
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


@pytest.mark.real_data
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
