"""Every classification config builds at its real size and trains at a small one."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from iterbackbone.__main__ import config_names, config_root
from tests.support.classification_runs import classifier_config, load, write_class_folders
from tests.support.openmmlab import (
    train_and_check_halting_units,
    train_one_step,
    without_evaluation,
)

pytestmark = pytest.mark.slow
# The config with a teacher needs its checkpoint: test_distillation_config.py.
CONFIGS = [n for n in config_names() if n.startswith('classification/') and 'distilled' not in n]
ITERATIVE = [name for name in CONFIGS if 'iterative' in name]
# Those of CIFAR-100 differ from CIFAR-10's in the number of classes alone.
TRAINED = [name for name in CONFIGS if 'cifar100' not in name]
PAPER = [n for n in CONFIGS if 'modern' not in n and not n.endswith('-subset.py')]
# Parameters without classifier, millions, of the paper's variants (docs/evidence/decisions.md).
CIFAR = {
    '': 9.33,
    '-e3': 7.28,
    '-e2': 5.57,
    '-e1': 4.20,
    '-dw': 6.58,
    '-e1-dw': 1.45,
}
IMAGENET = {'': 9.34, '-small': 5.58, '-double': 15.89}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    found = tmp_path_factory.mktemp('cifar')
    write_class_folders(found)
    return found


def test_all_that_the_paper_compares_are_there():
    variants = [f'{e}{dw}' for e in ('', '-e1', '-e2', '-e3', '-double') for dw in ('', '-dw')]
    nets = [f'iterative-r152{v}' for v in variants] + [f'resnet{d}' for d in (18, 50, 101, 152)]
    cifar = {f'classification/{net}_1xb128_cifar{n}.py' for net in nets for n in (10, 100)}
    nets = [f'iterative-r152{v}' for v in IMAGENET] + [f'resnet{d}' for d in (18, 50, 101, 152)]
    assert set(PAPER) == cifar | {f'classification/{net}_8xb32_in1k.py' for net in nets}


@pytest.mark.parametrize('name', TRAINED)
def test_one_training_step(name, root, tmp_path):
    cfg = without_evaluation(classifier_config(root, tmp_path, name))
    cfg.default_hooks.checkpoint = None
    _, scalars, moved = train_one_step(cfg)
    assert scalars['train/loss'] > 0
    assert ('train/loss_ponder' in scalars) == (name in ITERATIVE and 'anytime' not in name)
    assert {n.split('.')[0] for n in moved} == {'backbone', 'head'}


@pytest.mark.parametrize('name', [name for name in CONFIGS if 'cifar100' in name])
def test_cifar100_differs_in_data_and_classes_alone(name):
    first, second = (load(n) for n in (name, name.replace('cifar100', 'cifar10')))
    assert (first.model.head.num_classes, second.model.head.num_classes) == (100, 10)
    assert (first.data_preprocessor.num_classes, second.data_preprocessor.num_classes) == (100, 10)
    assert first.train_dataloader.dataset.type == 'CIFAR100'
    second.model.head.num_classes = 100
    assert first.model == second.model
    assert first.optim_wrapper == second.optim_wrapper


def test_gradient_reaches_the_halting_units(root, tmp_path):
    train_and_check_halting_units(classifier_config(root, tmp_path))


@pytest.mark.parametrize(
    ('name', 'millions'),
    [(f'iterative-r152{v}_1xb128_cifar{n}', m) for n in (10, 100) for v, m in CIFAR.items()]
    + [(f'iterative-r152{v}_8xb32_in1k', m) for v, m in IMAGENET.items()],
)
def test_parameters(name, millions):
    cfg = load(f'classification/{name}.py')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert sum(p.numel() for p in model.backbone.parameters()) / 1e6 == pytest.approx(
        millions, abs=0.005
    )
    classes = {'cifar10': 10, 'cifar100': 100, 'in1k': 1000}[name.split('_')[-1]]
    channels = model.backbone.stages[-1].out_channels
    assert model.head.fc.weight.shape == (classes, channels)
    assert cfg.data_preprocessor.num_classes == classes


@pytest.mark.parametrize('name', PAPER)
def test_the_papers_recipe(name):
    cfg = load(name)
    epochs, first, second = (90, 30, 60) if 'in1k' in name else (150, 50, 100)
    assert cfg.train_cfg.max_epochs == epochs
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum) == ('SGD', 0.01, 0.9)
    (step,) = cfg.param_scheduler
    assert (step.type, step.milestones, step.gamma) == ('MultiStepLR', [first, second], 0.1)
    train, test = (
        [(t.type, t.get('scale'), t.get('crop_size')) for t in loader.dataset.pipeline]
        for loader in (cfg.train_dataloader, cfg.val_dataloader)
    )
    flip, pack = ('RandomFlip', None, None), ('PackInputs', None, None)
    if 'in1k' in name:
        resized = [('LoadImageFromFile', None, None), ('ResizeEdge', 256, None)]
        assert train == [*resized, ('RandomCrop', None, 224), flip, pack]
        assert test == [*resized, ('CenterCrop', None, 224), pack]
    else:
        assert (train, test) == ([flip, pack], [pack])
    assert cfg.auto_scale_lr.base_batch_size == (256 if 'in1k' in name else 128)


@pytest.mark.parametrize('name', [name for name in CONFIGS if 'modern' in name])
def test_the_modern_recipe(name):
    cfg = load(name)
    warm_up, cosine = cfg.param_scheduler
    assert (warm_up.type, cosine.type) == ('LinearLR', 'CosineAnnealingLR')
    assert cfg.model.head.loss.type == 'LabelSmoothLoss'
    assert (cfg.optim_wrapper.type, cfg.optim_wrapper.dtype) == ('AmpOptimWrapper', 'bfloat16')


@pytest.mark.parametrize(
    ('source', 'kind', 'download'),
    [
        ('archive', 'CIFAR100', None),
        ('torchvision', 'CIFAR100', False),
        ('png', 'CustomDataset', None),
    ],
)
def test_one_variable_switches_the_source(monkeypatch, source, kind, download):
    monkeypatch.setenv('ITERBACKBONE_CIFAR', source)
    monkeypatch.setenv('ITERBACKBONE_DATA_ROOT', '/somewhere')
    cfg = Config.fromfile(config_root() / 'classification/iterative-r152-e1_1xb128_cifar100.py')
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        dataset = loader.dataset
        assert (dataset.type, dataset.get('download')) == (kind, download)
        assert dataset.data_root == '/somewhere/cifar100'
    assert cfg.data_preprocessor.to_rgb == (source == 'png')  # files are read as BGR
