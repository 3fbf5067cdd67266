"""Configs to models without downloads, images of noise to run them on, and their toolboxes."""

from __future__ import annotations

import copy

import pytest
import torch
from mmcv.transforms import Resize
from mmengine.config import Config
from torch import nn

from iterbackbone.__main__ import config_root
from iterbackbone.mm.configs import (
    pipeline_size,
    random_input,
    read_config,
    toolbox_of,
)
from tests.support.compute import C4, FPN, built, narrow_c4, segmentor_config

IMAGENET = 'classification/iterative-r152_8xb32_in1k.py'


def test_no_checkpoint_is_asked_for():
    """Neither by the model nor by its parts; none of these exists."""
    weights = dict(type='Pretrained', checkpoint='torchvision://missing')
    kaiming = dict(type='Kaiming', layer='Conv2d')
    cfg = segmentor_config(init_cfg=[weights, kaiming])
    cfg.model.backbone = dict(
        type='ResNetV1c', depth=18, base_channels=4, out_indices=(0, 1), init_cfg=weights
    )
    before = copy.deepcopy(cfg)
    assert cfg.model.pretrained
    assert built(cfg).backbone.init_cfg == weights
    assert cfg == before


def test_a_model_is_in_evaluation_mode_and_without_sync_bn():
    model = built(segmentor_config())  # whose checkpoints do not exist
    assert not any(module.training for module in model.modules())
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in model.modules())


def test_the_image_is_padded_by_the_models_preprocessor():
    cfg = Config.fromfile(config_root() / C4)
    narrow_c4(cfg)
    data = random_input(built(cfg), (60, 70))
    assert data['inputs'].shape == (1, 3, 64, 96)
    (sample,) = data['data_samples']
    assert (sample.img_shape, sample.batch_input_shape) == ((60, 70), (64, 96))
    again = random_input(built(segmentor_config()), (60, 70))
    assert again['inputs'].shape == (1, 3, 60, 70)
    assert torch.equal(again['inputs'], random_input(built(segmentor_config()), (60, 70))['inputs'])


@pytest.mark.parametrize('channels', [1, 5])
def test_the_image_has_the_channels_of_the_first_convolution(channels):
    backbone = dict(type='ResNet', depth=18, in_channels=channels)
    model = dict(type='ImageClassifier', backbone=backbone, head=dict(type='ClsHead'))
    data = random_input(built(Config(dict(default_scope='mmpretrain', model=model))), (32, 32))
    assert data['inputs'].shape == (1, channels, 32, 32)


def test_four_pixels_that_become_channels_are_one_image():
    backbone = dict(type='mmdet.CSPDarknet', deepen_factor=0.33, widen_factor=0.125)
    model = dict(type='ImageClassifier', backbone=backbone, head=dict(type='ClsHead'))
    data = random_input(built(Config(dict(default_scope='mmpretrain', model=model))), (32, 32))
    assert data['inputs'].shape == (1, 3, 32, 32)


def test_models_of_other_libraries_are_refused():
    with pytest.raises(ValueError, match=r"one of \['mmdet', 'mmpretrain', 'mmseg'\], got Linear"):
        random_input(nn.Linear(2, 2), (8, 8))


def loaders(pipeline, **wrapper):
    return Config(dict(test_dataloader=dict(dataset=dict(**wrapper, pipeline=pipeline))))


@pytest.mark.parametrize(
    ('cfg', 'size'),
    [
        (
            loaders([dict(type='Load'), dict(type='Resize', scale=(100, 60), keep_ratio=True)]),
            (60, 100),
        ),
        (loaders([dict(type='mmseg.Resize', scale=48)]), (48, 48)),
        (loaders([dict(scale=5), dict(type=Resize, scale=(9, 7))]), (7, 9)),
        (loaders([dict(type='Resize', scale_factor=0.5)]), None),
        (loaders([dict(type='RandomResize', scale=(9, 9))]), None),
        (
            Config(
                dict(
                    test_dataloader=None,
                    val_dataloader=loaders([dict(type='Resize', scale=7)]).test_dataloader,
                )
            ),
            (7, 7),
        ),
        (Config(dict(model=dict())), None),
        (
            Config(
                dict(
                    test_dataloader=dict(
                        dataset=dict(
                            type='RepeatDataset',
                            dataset=dict(pipeline=[dict(type='Resize', scale=(8, 6))]),
                        )
                    )
                )
            ),
            (6, 8),
        ),
    ],
)
def test_the_pipelines_size(cfg, size):
    assert pipeline_size(cfg) == size


def test_the_configs_size():
    assert pipeline_size(Config.fromfile(config_root() / C4)) == (600, 1000)
    assert pipeline_size(Config.fromfile(config_root() / FPN)) == (192, 256)
    assert pipeline_size(Config.fromfile(config_root() / IMAGENET)) == (224, 224)


def test_files_that_are_no_config_of_a_model(tmp_path):
    with pytest.raises(ValueError, match=r'config must be a file, got .*none\.py'):
        read_config(tmp_path / 'none.py')
    for name, text, message in (
        ('a.txt', 'model = dict()', 'a.txt: OSError: Only py/yml/yaml/json type'),
        ('b.py', 'x = 1', 'config must have a model, got .*b.py'),
        ('c.py', "_base_ = './missing.py'", 'missing.py'),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=message):
            read_config(tmp_path / name)
    (tmp_path / 'd.py').write_text('model = dict(a=dict(b=1))')
    assert read_config(tmp_path / 'd.py', {'model.a.b': 2}).model.a.b == 2


def test_the_models_type_tells():
    assert toolbox_of(Config(dict(model=dict(type='mmseg.EncoderDecoder')))) == 'mmseg'


def test_a_class_tells():
    from mmdet.models import RetinaNet

    assert toolbox_of(Config(dict(model=dict(type=RetinaNet)))) == 'mmdet'


def test_an_unknown_type_is_named():
    with pytest.raises(ValueError, match=r"got model type 'Nothing' and no default_scope in mine.py"):
        toolbox_of(Config(dict(model=dict(type='Nothing')), cfg_text='-', filename='mine.py'))


@pytest.mark.parametrize('option', [{'model.type.x': 1}, {'steps.5': 1}])
def test_an_override_that_does_not_fit_is_named(option, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text("model = dict(type='ResNet')\nsteps = [1]")
    with pytest.raises(ValueError, match='--cfg-options: '):
        read_config(path, option)
