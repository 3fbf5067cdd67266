"""Through mmdet's own, unmodified tools: train, SIGKILL, resume, test."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import torch

from tests.support.openmmlab import read_log
from tests.support.tool_runs import LOADERS, command, kill_after, losses, run

pytestmark = pytest.mark.slow
SHAPES = 'faster-rcnn_iterative-r50-tiny_fpn_shapes'
REAL = 'faster-rcnn_iterative-r50_fpn_1x_voc2007'
SPLITS = ('train', 'val', 'val')
SMALL = ['model.backbone.base_channels=8', 'model.neck.in_channels=[32,64,128,256]']
NARROW_FPN = [
    *SMALL,
    'model.neck.out_channels=16',
    'model.rpn_head.in_channels=16',
    'model.rpn_head.feat_channels=16',
    'model.roi_head.bbox_roi_extractor.out_channels=16',
    'model.roi_head.bbox_head.in_channels=16',
    'model.roi_head.bbox_head.fc_out_channels=16',
]


def test_killed_and_resumed_training_goes_on_to_the_end(shapes_root, tmp_path):
    env = {'ITERBACKBONE_SHAPES_ROOT': str(shapes_root), 'OMP_NUM_THREADS': '1'}
    options = [*SMALL, 'train_cfg.max_epochs=2']
    options += ['default_hooks.logger.interval=1']

    def train(work_dir, *args):
        return command('mmdet', 'train', SHAPES, '--work-dir', work_dir, *args, options=options)

    killed = tmp_path / 'killed'
    kill_after(train(killed), killed, 'last_checkpoint', **env)
    before = losses(killed)
    run(train(killed, '--resume'), **env)
    assert 2 <= len(before) < 4  # of 8 images, 4 a step, 2 epochs
    resumed = losses(killed)[len(before) :]
    assert [step for step, _ in resumed] == [3, 4]  # went on behind the checkpoint
    assert all(math.isfinite(loss) for _, loss in resumed)
    # Not the same weights: mmengine stores no random state, so flips and samples are drawn anew.
    state = torch.load(killed / 'epoch_2.pth', weights_only=False)
    assert (state['meta']['epoch'], state['meta']['iter']) == (2, 4)
    assert {int(entry['step']) for entry in state['optimizer']['state'].values()} == {4}

    checkpoint = killed / 'epoch_2.pth'
    test = command('mmdet', 'test', SHAPES, checkpoint, '--work-dir', tmp_path / 'test', options=SMALL)
    assert 'pascal_voc/mAP' in run(test, **env)
    (folder,) = (tmp_path / 'test').glob('*/iterations/test_epoch_2')
    records, predictions, meta = read_log(folder)
    assert len(records) == len(predictions) == 5
    assert meta['checkpoint'] == str(checkpoint)


def xml_objects(root, img_id):
    """Boxes of the objects that are not difficult, 0-based, and the number of difficult ones."""
    things = ET.parse(root / f'VOCdevkit/VOC2007/Annotations/{img_id}.xml').getroot().findall('object')
    easy = [t for t in things if t.find('difficult').text == '0']
    corners = ('xmin', 'ymin', 'xmax', 'ymax')
    boxes = [[int(t.find(f'bndbox/{c}').text) - 1 for c in corners] for t in easy]
    return boxes, len(things) - len(easy)


@pytest.mark.real_data
def test_real_images_train_and_log(voc2007, tmp_path):
    options = [*NARROW_FPN, 'train_cfg.max_epochs=1']
    for loader, resize, split, images in zip(LOADERS, (2, 1, 1), SPLITS, (12, 10, 10), strict=True):
        dataset = f'{loader}.dataset'
        options.append(f'{dataset}.ann_file=VOC2007/ImageSets/Main/{split}.txt')
        options.append(f'{dataset}.indices={images}')
        options.append(f'{dataset}.pipeline.{resize}.scale=(160,96)')
    env = {'ITERBACKBONE_DATA_ROOT': str(voc2007)}
    run(command('mmdet', 'train', REAL, '--work-dir', tmp_path, options=options), **env)
    (folder,) = Path(tmp_path).glob('*/iterations/val_epoch_1')
    records, _, meta = read_log(folder)
    ids = (voc2007 / 'VOCdevkit/VOC2007/ImageSets/Main/val.txt').read_text().split()[:10]
    assert [record['img_id'] for record in records] == ids
    assert meta['max_iterations'] == [3, 4, 6, 3]
    for record in records:
        boxes, difficult = xml_objects(voc2007, record['img_id'])
        assert (record['num_objects'], record['num_difficult']) == (len(boxes), difficult)
        if boxes:
            area = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes) / len(boxes)
            assert record['mean_object_area'] == pytest.approx(area)
