"""Small models, configs and data for tests that run OpenMMLab."""

from __future__ import annotations

import copy
import functools
import json
import os
from pathlib import Path

import msgspec
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from iterbackbone.__main__ import config_root
from iterbackbone.log.meta_schema import EvaluationMeta
from iterbackbone.log.schema import IterationRecord, PredictionLine

QUICKSTART = 'detection/faster-rcnn_iterative-r50-tiny_fpn_shapes.py'
SEGMENTATION_QUICKSTART = 'segmentation/upernet_iterative-r50-tiny_shapes.py'
ONE_WORKERLESS = dict(num_workers=0, persistent_workers=False)


def detector_config(shapes_root, work_dir, name=QUICKSTART) -> Config:
    """A detection config on the generated scenes, without worker processes."""
    cfg = _on_scenes(shapes_root, name, '_base_/datasets/shapes_detection.py')
    cfg.train_dataloader['batch_size'] = 2
    cfg.default_scope, cfg.work_dir, cfg.log_level = 'mmdet', str(work_dir), 'WARNING'
    cfg.randomness = dict(seed=0)
    return cfg


def segmentor_config(shapes_root, work_dir, name=SEGMENTATION_QUICKSTART) -> Config:
    """A segmentation config at an eighth of its width on the generated scenes, without workers."""
    cfg = _on_scenes(shapes_root, name, '_base_/datasets/shapes_segmentation.py')
    cfg.train_dataloader['batch_size'] = 2
    _narrow(cfg.model)
    cfg.model.data_preprocessor.size = (64, 96)
    cfg.default_scope, cfg.work_dir, cfg.log_level = 'mmseg', str(work_dir), 'WARNING'
    cfg.randomness = dict(seed=0)
    return cfg


def _on_scenes(shapes_root, name, data) -> Config:
    """A config that keeps no checkpoint, with other data: the scenes of 96x64 pixels at their size."""
    os.environ['ITERBACKBONE_SHAPES_ROOT'] = str(shapes_root)
    cfg, shapes = (copy.deepcopy(_read(each, str(shapes_root))) for each in (name, data))
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[loader] = {**shapes[loader], **ONE_WORKERLESS}
        for step in cfg[loader]['dataset']['pipeline']:
            if step['type'] == 'Resize':
                step['scale'] = (96, 64)
    cfg.default_hooks.checkpoint = None
    return cfg


def load(name) -> Config:
    """A config of ours as it is, read once."""
    return copy.deepcopy(_read(name, os.environ.get('ITERBACKBONE_SHAPES_ROOT')))


@functools.cache
def _read(name, shapes_root) -> Config:
    """A config, which names the root of the scenes."""
    return Config.fromfile(config_root() / name)


def _narrow(model) -> None:
    width = model.backbone.get('base_channels', 64)
    model.backbone.update(base_channels=8, init_cfg=None)
    if 'Iterative' not in model.backbone.type:
        model.backbone.stem_channels = 8
    for head in (model.decode_head, model.auxiliary_head):
        head.channels = 16
        for key in ('in_channels', 'c1_in_channels'):
            if key in head:
                old = head[key]
                head[key] = [c * 8 // width for c in old] if isinstance(old, list) else old * 8 // width


def read_log(folder: Path) -> tuple[list[dict], list[dict], dict]:
    """Records, predictions and meta of an evaluation's folder, all as the schema states them."""
    lines = [(folder / f'{name}.jsonl').read_text().splitlines() for name in ('records', 'predictions')]
    records, predictions = ([json.loads(line) for line in part] for part in lines)
    meta = json.loads((folder / 'meta.json').read_text())
    for kind, each in (
        (IterationRecord, records),
        (PredictionLine, predictions),
        (EvaluationMeta, [meta]),
    ):
        # What the schema does not know is left out in reading.
        assert msgspec.convert(each, list[kind]) == each
    return records, predictions, meta


def without_evaluation(cfg) -> Config:
    """The same config, which is only trained."""
    for part in ('dataloader', 'evaluator', 'cfg'):
        cfg[f'val_{part}'] = cfg[f'test_{part}'] = None
    return cfg


def train_one_step(cfg) -> tuple[Runner, dict[str, float], set[str]]:
    """Train a step and evaluate: the runner, what was logged, which parameters have moved."""
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1, val_interval=1)
    cfg.param_scheduler = None
    cfg.log_processor = dict(by_epoch=False)
    runner = Runner.from_cfg(cfg)
    before = {name: p.detach().clone() for name, p in runner.model.named_parameters()}
    runner.train()
    scalars = {name: value.current() for name, value in runner.message_hub.log_scalars.items()}
    moved = {n for n, p in runner.model.named_parameters() if not torch.equal(p, before[n])}
    return runner, scalars, moved


def train_and_check_halting_units(cfg):
    """Train two steps: every parameter of the four stages' halting units receives a gradient."""
    without_evaluation(cfg).custom_hooks[0].update(halting_warmup=0.0, ramp=0.0)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
    cfg.param_scheduler = cfg.default_hooks.checkpoint = None
    cfg.log_processor = dict(by_epoch=False)
    runner = Runner.from_cfg(cfg)
    units = {n: p for n, p in runner.model.named_parameters() if '.halting.' in n}
    seen = {}
    for name, parameter in units.items():
        parameter.register_hook(lambda grad, name=name: seen.update({name: float(grad.abs().sum())}))
    runner.train()
    assert len(units) == 4 * 4
    assert seen.keys() == units.keys()
    assert all(total > 0 for total in seen.values())


def at_full_depth(cfg):
    """``cfg`` with anytime training of full depth alone, so that few steps train every iteration."""
    for hook in cfg.get('custom_hooks', []):
        if hook['type'] == 'iterbackbone.AnytimeHook':
            hook['full_share'] = 1.0
    return cfg
