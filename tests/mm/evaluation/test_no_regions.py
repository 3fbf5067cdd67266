"""A C4 detector whose RPN proposes nothing: no RoI reaches the iterative RoI head."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
from mmengine.runner import Runner

from tests.support.compute import C4, narrow_c4
from tests.support.openmmlab import detector_config, read_log

VOC = 'VOCdevkit/VOC2007'
NOTHING = dict(min_bbox_size=10_000)  # pixels: no proposal is as large


@pytest.fixture(scope='module')
def empty_scenes(shapes_root, tmp_path_factory):
    """The scenes without annotations: those would be RoIs in training."""
    root = Path(shutil.copytree(shapes_root, tmp_path_factory.mktemp('empty') / 'shapes'))
    for path in (root / VOC / 'Annotations').glob('*.xml'):
        path.write_text(path.read_text().partition('<object>')[0] + '</annotation>')
    return root


@pytest.mark.parametrize('target', [None, 0.5])
def test_training_and_evaluation_without_a_region(empty_scenes, tmp_path, target):
    cfg = detector_config(empty_scenes, tmp_path, C4)
    narrow_c4(cfg)
    cfg.model.backbone.init_cfg = cfg.model.roi_head.shared_head.init_cfg = None
    cfg.model.test_cfg.rpn.update(NOTHING)
    cfg.model.train_cfg.rpn_proposal.update(NOTHING)
    cfg.train_dataloader['dataset'].update(filter_cfg=None, indices=4)
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1, val_interval=1)
    cfg.default_hooks['logger']['interval'] = 1
    for hook in cfg.custom_hooks:
        if 'PonderCost' in hook['type']:
            hook.update(halting_warmup=0.0, ramp=0.0, target=target)
    cfg.visualizer['name'] = cfg.experiment_name = tmp_path.name
    runner = Runner.from_cfg(cfg)
    layer = runner.model.roi_head.shared_head
    rows = []
    layer.register_forward_hook(lambda module, args, output: rows.append(len(output)))
    runner.train()
    assert rows == [0, 0]  # two steps; in evaluation mmdet does not call it
    lines = Path(runner.log_dir, 'vis_data/scalars.json').read_text().splitlines()
    steps = [line for line in map(json.loads, lines) if 'loss' in line]
    assert all(math.isfinite(value) for line in steps for value in line.values())
    assert not [name for name in steps[-1] if 'roi' in name]
    assert steps[-1]['loss_ponder'] > 0  # the backbone's
    assert all(weight.isfinite().all() for weight in runner.model.state_dict().values())
    records, _, meta = read_log(Path(runner.log_dir, 'iterations/val_epoch_1'))
    for record in records:
        assert (record['num_rois'], record['mean_roi_iterations']) == (0, None)
        assert 0 < record['macs'] <= record['macs_full'] == meta['mac_table']['highest']
