"""Boxes without area or outside the image, through training and evaluation with the iteration log."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from mmengine.runner import Runner

from tests.support.compute import built
from tests.support.openmmlab import detector_config, read_log

VOC = 'VOCdevkit/VOC2007'
WITHOUT_AREA = {'point': (5, 5, 5, 5), 'line': (10, 10, 60, 10), 'outside': (500, 500, 600, 600)}
WITH_AREA = {'upper left': (-30, -20, 20, 30), 'lower right': (80, 50, 400, 300)}
BOXES = {**WITHOUT_AREA, **WITH_AREA}  # VOC's corners, which mmdet lowers by one


def config(shapes_root, tmp_path, boxes, *before_packing):
    """Of a detector for the scenes' images, 96x64 as they are, each with these boxes alone."""
    root = Path(shutil.copytree(shapes_root, tmp_path / 'shapes'))
    objects = ''.join(
        '<object><name>circle</name><difficult>0</difficult><bndbox>'
        f'<xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>'
        for x1, y1, x2, y2 in boxes
    )
    for path in (root / VOC / 'Annotations').glob('*.xml'):
        head, _, _ = path.read_text().partition('<object>')
        path.write_text(f'{head}{objects}</annotation>')
    cfg = detector_config(root, tmp_path / 'run')
    cfg.train_dataloader['dataset']['pipeline'][-1:-1] = before_packing
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1, val_interval=1)
    cfg.default_hooks['logger']['interval'] = 1
    cfg.visualizer['name'] = cfg.experiment_name = tmp_path.name
    return cfg


def trained(cfg):
    """A runner that trained an epoch, and the losses of each step."""
    runner = Runner.from_cfg(cfg)
    runner.train()
    lines = Path(runner.log_dir, 'vis_data/scalars.json').read_text().splitlines()
    steps = [line for line in map(json.loads, lines) if 'loss' in line]
    assert len(steps) == 4
    return runner, steps


def broken(losses):
    """Names of those that are NaN."""
    return sorted(k for k, value in losses.items() if 'loss' in k and value != value)


@pytest.fixture(scope='module')
def detector(shapes_root, tmp_path_factory):
    return built(config(shapes_root, tmp_path_factory.mktemp('detector'), []))


@pytest.mark.filterwarnings('ignore:.*without its ponder cost')
@pytest.mark.parametrize('name', BOXES)
def test_which_boxes_break_which_loss(shapes_root, tmp_path, detector, name):
    """A box without area is a proposal of its own, whose distance is measured in its size."""
    cfg = config(shapes_root, tmp_path, [BOXES[name]])
    batch = detector.data_preprocessor(next(iter(Runner.build_dataloader(cfg.train_dataloader))))
    loss, losses = detector.parse_losses(detector.train()(**batch, mode='loss'))
    found = {key: value.item() for key, value in losses.items()}
    assert broken(found) == (['loss', 'loss_bbox'] if name in WITHOUT_AREA else [])
    detector.zero_grad()
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in detector.parameters())


def test_training_goes_on_beside_boxes_without_area(shapes_root, tmp_path):
    runner, steps = trained(config(shapes_root, tmp_path, BOXES.values()))
    assert [broken(step) for step in steps] == [['loss', 'loss_bbox']] * 4
    weights = runner.model.state_dict()
    assert all(weight.isfinite().all() for weight in weights.values())


def test_without_them_all_losses_are_finite_and_the_log_holds_all_boxes(shapes_root, tmp_path):
    only_with_area = dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1))
    runner, steps = trained(config(shapes_root, tmp_path, BOXES.values(), only_with_area))
    assert [broken(step) for step in steps] == [[]] * 4
    records, predictions, meta = read_log(Path(runner.log_dir, 'iterations/val_epoch_1'))
    area = (100 * 100 + 50 * 50 + 320 * 250) / len(BOXES)  # as annotated, not as visible
    for record, prediction in zip(records, predictions, strict=True):
        assert (record['num_objects'], record['mean_object_area']) == (len(BOXES), area)
        assert record['mean_relative_area'] == pytest.approx(area / (96 * 64))
        lowered = [[x - 1 for x in box] for box in BOXES.values()]
        assert prediction['true']['boxes'] == lowered
    assert meta['score']['pascal_voc/mAP'] >= 0
