"""One checkpoint through three tasks: classification, then detection, then segmentation."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner

from iterbackbone.__main__ import config_path
from iterbackbone.mm.modules import OpenMMLabModule
from tests.support.compute import C4, narrow_c4
from tests.support.openmmlab import detector_config, segmentor_config, without_evaluation
from tests.support.tiny_training import LabelledImages, labelled_loader

pytestmark = pytest.mark.slow
LIMITS = (2, 3, 3, 2)
BACKBONE = dict(base_channels=8, max_iterations=LIMITS)
HEAD = 'roi_head.shared_head.'


class AtStart(Hook):
    """Keeps the weights training starts from."""

    def before_train(self, runner):
        self.state = copied(runner.model)


def copied(model):
    return {key: tensor.clone() for key, tensor in model.state_dict().items()}


def classify(work_dir, stem):
    """Checkpoint of a classifier after two train_iters."""
    init_default_scope('mmpretrain')
    Runner(
        model=dict(
            type='ImageClassifier',
            backbone=dict(type='iterbackbone.IterativeResNet', stem=stem, **BACKBONE),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=2, in_channels=256),
            data_preprocessor=dict(num_classes=2),
        ),
        work_dir=str(work_dir),
        train_dataloader=labelled_loader(LabelledImages(8), 4),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.001)),
        custom_hooks=[dict(type='iterbackbone.PonderCostHook')],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2)),
        default_scope='mmpretrain',
        experiment_name=work_dir.name,
        randomness=dict(seed=0),
        log_level='WARNING',
    ).train()
    return work_dir / 'iter_2.pth'


@pytest.fixture(scope='module')
def classifier(tmp_path_factory):
    return classify(tmp_path_factory.mktemp('classifier'), 'imagenet')


@pytest.fixture(scope='module')
def cifar_classifier(tmp_path_factory):
    return classify(tmp_path_factory.mktemp('cifar'), 'cifar')


def fpn(shapes_root, work_dir):
    cfg = detector_config(shapes_root, work_dir)
    cfg.model.neck.in_channels = [32, 64, 128, 256]
    return one_step(cfg, BACKBONE)


def c4(shapes_root, work_dir):
    cfg = detector_config(shapes_root, work_dir, C4)
    narrow_c4(cfg)
    for part, limits in ((cfg.model.backbone, LIMITS[:3]), (cfg.model.roi_head.shared_head, LIMITS[3])):
        part.pop('halting')
        part.max_iterations = limits
    return one_step(cfg, {})


def upernet(shapes_root, work_dir):
    return one_step(segmentor_config(shapes_root, work_dir), BACKBONE)


def one_step(cfg, backbone):
    """One train_iter without an evaluation, as one fine-tunes."""
    cfg.model.backbone.update(backbone)
    cfg.custom_hooks[0].update(halting_warmup=0.0, ramp=0.0)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1)
    without_evaluation(cfg)
    cfg.param_scheduler = None
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=1)
    cfg.log_processor = dict(by_epoch=False)
    return cfg


def by_init_cfg(cfg, checkpoint):
    init_cfg = dict(type='Pretrained', checkpoint=str(checkpoint), prefix='backbone.')
    cfg.model.backbone.init_cfg = init_cfg
    if 'shared_head' in cfg.model.get('roi_head', {}):
        cfg.model.roi_head.shared_head.init_cfg = init_cfg


def by_load_from(cfg, checkpoint):
    cfg.load_from = str(checkpoint)


def train(cfg):
    """The weights before training and the runner after it."""
    runner, start = Runner.from_cfg(cfg), AtStart()
    runner.register_hook(start)
    runner.train()
    assert math.isfinite(runner.message_hub.get_scalar('train/loss').current())
    return start.state, runner


def trained_backbone(checkpoint):
    state = torch.load(checkpoint, weights_only=False)['state_dict']
    return {key[9:]: tensor for key, tensor in state.items() if key.startswith('backbone.')}


def adaptive_part(state):
    """Of backbone and shared head together, by their keys in a whole backbone."""
    parts = ('backbone.', HEAD)
    return {k.removeprefix(p): v for p in parts for k, v in state.items() if k.startswith(p)}


def assert_bit_equal(state, checkpoint):
    """Every key of the checkpoint's backbone is in the model and the other way round."""
    loaded, expected = adaptive_part(state), trained_backbone(checkpoint)
    assert loaded.keys() == expected.keys()
    assert [k for k in expected if not torch.equal(loaded[k], expected[k])] == []


WAYS = [
    (fpn, by_init_cfg),
    (fpn, by_load_from),
    (c4, by_init_cfg),
    (upernet, by_init_cfg),
    (upernet, by_load_from),
]


@pytest.mark.parametrize(('config', 'way'), WAYS)
def test_a_classifier_starts_the_other_tasks(classifier, shapes_root, tmp_path, config, way):
    cfg = config(shapes_root, tmp_path)
    way(cfg, classifier)
    state, runner = train(cfg)
    assert_bit_equal(state, classifier)
    after = adaptive_part(copied(runner.model))
    moved = {key for key, tensor in adaptive_part(state).items() if not torch.equal(tensor, after[key])}
    assert {'stem.conv.weight', 'stages.3.blocks.0.conv1.weight'} <= moved


def test_classification_then_detection_then_segmentation(classifier, shapes_root, tmp_path):
    """The stem and the first stage frozen on the way, as one may once there is a checkpoint."""
    cfg = fpn(shapes_root, tmp_path / 'detector')
    cfg.model.backbone.update(frozen_stages=1, norm_eval=True)
    by_init_cfg(cfg, classifier)
    train(cfg)
    detector = tmp_path / 'detector/iter_1.pth'
    first, second = trained_backbone(classifier), trained_backbone(detector)
    moved = {key for key in first if not torch.equal(first[key], second[key])}
    assert 'stages.1.blocks.0.conv1.weight' in moved
    assert not any(key.startswith(('stem.', 'stages.0.')) for key in moved)
    assert not any('running' in key for key in moved)
    cfg = upernet(shapes_root, tmp_path / 'segmentor')
    by_load_from(cfg, detector)
    state, _ = train(cfg)
    assert_bit_equal(state, detector)


def test_c4_refuses_load_from(classifier, shapes_root, tmp_path):
    """Its stage 4 has another name, and would stay random."""
    cfg = c4(shapes_root, tmp_path)
    by_load_from(cfg, classifier)
    message = rf"IterativeResLayer at '{HEAD}': \d+ missing: stages\.3.*init_cfg"
    with pytest.raises(ValueError, match=message):
        Runner.from_cfg(cfg).train()


@pytest.mark.parametrize('way', [by_init_cfg, by_load_from])
@pytest.mark.parametrize('config', [fpn, c4, upernet])
def test_the_cifar_stem_is_refused(cifar_classifier, shapes_root, tmp_path, config, way):
    cfg = config(shapes_root, tmp_path)
    way(cfg, cifar_classifier)
    with pytest.raises(ValueError, match=r'1 of another shape: stem\.conv\.weight'):
        Runner.from_cfg(cfg).train()


def test_the_documented_configs_build(tmp_path):
    text = (Path(__file__).parents[2] / 'docs/starting-weights.md').read_text()
    configs = re.findall(r"```python\n(_base_ = 'BASE'  # (\S+)\n.*?)```", text, re.DOTALL)
    assert len(configs) == 2
    segmentor = 'upernet_iterative-r152_4xb4-160k_ade20k-512x512'  # of which the page says the same
    for content, name in [*configs, (configs[0][0], segmentor)]:
        (tmp_path / f'{name}.py').write_text(content.replace('BASE', str(config_path(name))))
        cfg = Config.fromfile(tmp_path / f'{name}.py')
        init_default_scope(cfg.default_scope)
        with torch.device('meta'):
            model = MODELS.build(cfg.model)
        parts = [m for m in model.modules() if isinstance(m, OpenMMLabModule)]
        assert len(parts) == (2 if 'c4' in name else 1)
        assert all(part.init_cfg['prefix'] == 'backbone.' for part in parts)
