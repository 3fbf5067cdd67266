"""mmdet's own tools on detectors of other kinds: a mean teacher, and masks without boxes."""

from __future__ import annotations

import json

import pytest
from mmengine.config import Config
from mmengine.hub import get_config
from PIL import Image

from iterbackbone.__main__ import config_path, tool_path
from tests.support.openmmlab import read_log
from tests.support.tool_runs import run

pytestmark = pytest.mark.slow
SHAPES = 'faster-rcnn_iterative-r50-tiny_fpn_shapes'
KINDS = ('a', 'b', 'c', 'd', 'e', 'f')
WORKERLESS = dict(num_workers=0, persistent_workers=False)
HOOKS = dict(
    ponder_cost=dict(type='iterbackbone.PonderCostHook', weight=0.005),
    iteration_log=dict(type='iterbackbone.IterationLogHook'),
    logger=dict(type='LoggerHook', interval=1),
)


def small(value, scale):
    """A pipeline whose images are hardly larger than the scenes."""
    if isinstance(value, dict):
        return {k: scale if k == 'scale' else small(v, scale) for k, v in value.items()}
    return [small(v, scale) for v in value] if isinstance(value, list) else value


def of_two(loader, **dataset):
    loader = dict(loader, **WORKERLESS)
    return dict(loader, dataset=dict(loader['dataset'], indices=2, **dataset))


def trained(cfg, tmp_path):
    """Train two steps by mmdet's tool, evaluate, and give the logs and the training's scalars."""
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2)
    cfg.param_scheduler, cfg.log_processor = [], dict(by_epoch=False)
    cfg.default_hooks.update(HOOKS)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=2)
    (tmp_path / 'mine').mkdir()
    cfg.dump(tmp_path / 'mine/config.py')
    work_dir = tmp_path / 'work'
    run([tool_path('mmdet', 'train'), tmp_path / 'mine/config.py', '--work-dir', work_dir])
    (scalars,) = work_dir.glob('*/vis_data/scalars.json')
    logs = {path.name: read_log(path) for path in work_dir.glob('*/iterations/*')}
    return logs, [json.loads(line) for line in scalars.read_text().splitlines()]


def test_soft_teacher(shapes_root, tmp_path, monkeypatch):
    monkeypatch.setenv('ITERBACKBONE_SHAPES_ROOT', str(shapes_root))  # read with the config
    cfg = get_config('mmdet::soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py')
    shapes = Config.fromfile(config_path(SHAPES))
    cfg.model.detector = shapes.model
    cfg.model.data_preprocessor.data_preprocessor = shapes.model.data_preprocessor
    labelled = shapes.train_dataloader.dataset
    scales = [(256, 160), (256, 224)]
    parts = [part.pipeline for part in cfg.train_dataloader.dataset.datasets]
    datasets = [dict(labelled, indices=4, pipeline=small(p, scales)) for p in parts]
    sampler = dict(type='GroupMultiSourceSampler', batch_size=2, source_ratio=[1, 1])
    cfg.train_dataloader = dict(
        batch_size=2,
        sampler=sampler,
        dataset=dict(type='ConcatDataset', datasets=datasets),
        **WORKERLESS,
    )
    cfg.val_dataloader = cfg.test_dataloader = of_two(shapes.val_dataloader)
    cfg.val_evaluator = cfg.test_evaluator = shapes.val_evaluator
    logs, scalars = trained(cfg, tmp_path)
    assert sorted(logs) == ['val_iter_2_student', 'val_iter_2_teacher']
    for name, (records, _, meta) in logs.items():
        assert len(records) == 2
        assert list(meta['modules']) == [f'{name.rsplit("_", 1)[1]}.backbone']
    steps = [line for line in scalars if 'loss' in line]
    assert len(steps) == 2
    # The ponder cost in the loss is the student's; the teacher's iterations say whose they are.
    assert {'iterations_stage0', 'frozen.teacher.backbone.iterations_stage0'} <= steps[-1].keys()
    assert steps[-1]['ponder_cost'] < 2 * (3 + 4 + 6 + 3)


def test_solo(shapes_root, tmp_path):
    annotations = coco_of(shapes_root / 'VOCdevkit/VOC2007', tmp_path / 'coco.json')
    cfg = get_config('mmdet::solo/solo_r50_fpn_1x_coco.py')
    cfg.model.backbone = dict(type='iterbackbone.IterativeResNet', depth=50, base_channels=8)
    cfg.model.neck.update(in_channels=[32, 64, 128, 256], out_channels=32)
    cfg.model.mask_head.update(num_classes=6, in_channels=32, feat_channels=32, stacked_convs=1)
    cfg.model.mask_head.norm_cfg.num_groups = 8
    cfg.model.test_cfg.update(score_thr=0.0, filter_thr=0.0, mask_thr=0.0)
    own = dict(
        type='CocoDataset',
        data_root=str(shapes_root),
        ann_file=str(annotations),
        data_prefix=dict(img='VOCdevkit/VOC2007/JPEGImages/'),
        metainfo=dict(classes=KINDS),
    )
    train, test = (small(steps, (384, 256)) for steps in (cfg.train_pipeline, cfg.test_pipeline))
    cfg.train_dataloader = of_two(cfg.train_dataloader, pipeline=train, **own)
    cfg.val_dataloader = cfg.test_dataloader = of_two(cfg.val_dataloader, pipeline=test, **own)
    cfg.val_evaluator = cfg.test_evaluator = dict(type='CocoMetric', ann_file=str(annotations))
    logs, _ = trained(cfg, tmp_path)
    ((records, predictions, meta),) = logs.values()
    assert meta['task'] == 'detection'
    assert [record['num_objects'] for record in records] == [1, 1]
    for line in predictions:
        assert line['true']['boxes'] == [[10.0, 20.0, 70.0, 60.0]]
        boxes = line['predicted']['boxes']
        assert boxes  # of the masks: the head fills in boxes of zeros
        assert any(x1 > x0 and y1 > y0 for x0, y0, x1, y1 in boxes)


def coco_of(voc, target):
    """COCO annotations of the scenes: in each one rectangle, as a polygon."""
    images, objects = [], []
    for i, path in enumerate(sorted((voc / 'JPEGImages').iterdir())):
        with Image.open(path) as image:
            images.append(dict(id=i, file_name=path.name, width=image.width, height=image.height))
        polygon = [10, 20, 70, 20, 70, 60, 10, 60]
        box = dict(bbox=[10, 20, 60, 40], area=2400, iscrowd=0, segmentation=[polygon])
        objects.append(dict(id=i + 1, image_id=i, category_id=1, **box))
    kinds = [dict(id=k, name=name) for k, name in enumerate(KINDS, 1)]
    target.write_text(json.dumps(dict(images=images, annotations=objects, categories=kinds)))
    return target
