"""A halting unit starts at full depth whatever initialises the model around it."""

from __future__ import annotations

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.registry import init_default_scope
from torch import nn

from iterbackbone.mm import IterativeResNet

DEPTHS = [3, 12]
EVERYTHING = dict(type='Normal', layer=['Linear', 'Conv2d'], std=0.5, bias=0.5)


class Parent(BaseModule):
    """A model with a linear head."""

    def __init__(self, init_cfg=None, init_cfg_of_backbone=None, **options):
        super().__init__(init_cfg)
        self.backbone = IterativeResNet(
            stem='cifar',
            base_channels=4,
            expansion=1,
            num_stages=2,
            max_iterations=DEPTHS,
            init_cfg=init_cfg_of_backbone,
            **options,
        )
        self.head = nn.Linear(8, 2)


class Looping(Parent):
    """Initialises all linear layers by hand, as many a model does."""

    def init_weights(self):
        self._fill()
        super().init_weights()
        self._fill()

    def _fill(self):
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.constant_(module.weight, 0.5)
                nn.init.constant_(module.bias, 0.5)


class Applying(Parent):
    """Initialises whatever has a bias."""

    def init_weights(self):
        super().init_weights()
        self.apply(lambda m: nn.init.ones_(m.bias) if getattr(m, 'bias', None) is not None else None)


def halting(model):
    return {k: v.clone() for k, v in model.state_dict().items() if '.halting.' in k}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(x, b[key]) for key, x in a.items())


@pytest.mark.parametrize(
    'parent',
    [
        lambda: Parent(EVERYTHING),
        lambda: Parent([dict(type='Xavier', layer='Linear', bias=1.0)]),
        lambda: Parent(dict(type='Normal', std=1.0, bias=1.0, override=dict(name='backbone'))),
        lambda: Parent(init_cfg_of_backbone=EVERYTHING),
        Looping,
        Applying,
    ],
    ids=['Normal', 'Xavier', 'override', 'own', 'loop', 'apply'],
)
def test_init_weights_of_any_parent_leaves_the_start(parent):
    model = parent()
    start = halting(model)
    model.init_weights()
    assert same(halting(model), start)
    model.backbone.eval()(torch.randn(2, 3, 8, 8))
    assert model.backbone.iterations().tolist() == [DEPTHS] * 2


def last_gammas(model):
    norms = [norm for stage in model.backbone.stages for norm in stage.blocks[0].norm3]
    return {gamma for norm in norms for gamma in norm.weight.tolist()}


ONES = dict(type='Constant', layer=['_BatchNorm', 'BatchNorm2d'], val=1.0)
PART = dict(ONES, override=dict(name='stages', type='Constant', val=1.0, bias=1.0))


@pytest.mark.parametrize(
    'cfgs', [dict(init_cfg=ONES), dict(init_cfg_of_backbone=ONES), dict(init_cfg_of_backbone=PART)]
)
@pytest.mark.parametrize('gamma', [0.25, 1.0])
def test_the_last_gamma_and_the_units_stay(cfgs, gamma):
    """Also where an override names a part of the backbone."""
    model = Parent(**cfgs, last_gamma=gamma)
    start = halting(model)
    model.init_weights()
    assert last_gammas(model) == {gamma}
    assert same(halting(model), start)


class LoopingOverNorms(Parent):
    """Starts all norms by hand, as many a model does."""

    def init_weights(self):
        super().init_weights()
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.constant_(module.weight, 1.0)
                nn.init.constant_(module.bias, 0.0)


def first_step(model):
    model.train().backbone(torch.randn(4, 3, 8, 8))
    return last_gammas(model)


def test_the_last_gamma_survives_a_loop_over_all_norms():
    model = LoopingOverNorms(last_gamma=0.25)
    model.init_weights()
    assert first_step(model) == {0.25}
    with torch.no_grad():
        for norm in model.backbone.stages[0].blocks[0].norm3:
            norm.weight.fill_(1.0)  # as training may
    assert first_step(model) == {0.25, 1.0}


def test_a_loaded_gamma_of_one_survives_the_first_step():
    model = LoopingOverNorms(last_gamma=0.25)
    model.init_weights()
    model.load_state_dict(model.state_dict())
    assert first_step(model) == {1.0}


def test_a_gamma_of_one_may_be_initialised():
    model = Parent(dict(ONES, val=0.5), last_gamma=1.0)
    model.init_weights()
    assert last_gammas(model) == {0.5}


def test_what_was_loaded_before_stays():
    model = Parent(EVERYTHING)
    model.load_state_dict({k: v + 1 for k, v in model.state_dict().items()})
    loaded = halting(model)
    model.init_weights()
    assert same(halting(model), loaded)


@pytest.mark.parametrize('place', ['parent', 'backbone'])
def test_a_pretrained_checkpoint_wins(tmp_path, place):
    trained = Parent(last_gamma=0.5)
    for parameter in trained.parameters():
        nn.init.normal_(parameter)
    pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'trained.pth'))
    torch.save(trained.state_dict(), tmp_path / 'trained.pth')
    if place == 'parent':
        model = Parent([pretrained, EVERYTHING, ONES], last_gamma=0.5)
    else:
        own = dict(**pretrained, prefix='backbone.')
        model = Parent([EVERYTHING, ONES], own, last_gamma=0.5)
    model.init_weights()
    assert same(halting(model), halting(trained))
    assert last_gammas(model) == last_gammas(trained)


def test_a_classifier_of_mmpretrain():
    """Such as its DeiT and Swin configs, which initialise linear layers."""
    from mmpretrain.registry import MODELS

    init_default_scope('mmpretrain')
    layers = dict(stem='cifar', base_channels=4, expansion=1, num_stages=2, max_iterations=DEPTHS)
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(type='iterbackbone.IterativeResNet', out_indices=(1,), **layers),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=2, in_channels=8),
            init_cfg=[
                dict(type='TruncNormal', layer=['Conv2d', 'Linear'], std=0.02, bias=0.0),
                dict(type='Constant', layer=['LayerNorm'], val=1.0, bias=0.0),
            ],
        )
    )
    model.init_weights()
    model.backbone.eval()(torch.randn(2, 3, 8, 8))
    assert model.backbone.iterations().tolist() == [DEPTHS] * 2
