"""Parameters and MACs of whole models: by hand, and against torch's counter at both ends."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config, ConfigDict
from torch import nn

from iterbackbone.__main__ import config_root
from iterbackbone.core.adaptive import AdaptiveModule
from iterbackbone.core.budget_table import BudgetTable, Setting
from iterbackbone.core.macs import mac_table
from iterbackbone.core.resnet_counterpart import resnet_macs
from iterbackbone.mm.configs import random_input
from iterbackbone.mm.counting.model_macs import ELSEWHERE, count_macs, fixed_proposals, most_proposals
from iterbackbone.mm.evaluation.meta import count_parameters
from tests.support.compute import C4, FPN, built, counted, narrow_c4, narrow_fpn, segmentor_config


def detector(name, narrow):
    cfg = Config.fromfile(config_root() / name)
    narrow(cfg)
    return built(cfg)


@pytest.fixture(scope='module')
def fpn():
    return detector(FPN, narrow_fpn)


@pytest.fixture(scope='module')
def c4():
    return detector(C4, narrow_c4)


def iterative(model):
    return [module for module in model.modules() if isinstance(module, AdaptiveModule)]


def never_halt(model):
    for module in iterative(model):
        for stage in module.iterative_stages():
            for block in stage.iterative_blocks():
                nn.init.constant_(block.halting.fc2.bias, -20.0)


def test_a_segmentor_by_hand():
    model = built(segmentor_config())
    macs = count_macs(model, (32, 48))
    assert macs.input_size == (32, 48)
    head = 16 * 24 * (9 * 8 * 4 + 4 * 3)  # a 3x3 convolution and the classifier
    assert macs.rest == {'data_preprocessor': 0, 'backbone': 0, 'decode_head': head}
    table = mac_table(model.backbone, (32, 48))
    assert macs.lowest == {'data_preprocessor': 0, 'backbone': table.lowest, 'decode_head': head}
    assert macs.highest['backbone'] == table.highest
    (module,) = macs.iterative
    assert (module.name, module.rows, module.limits) == ('backbone', 1, (2, 3))
    assert module.resnet == resnet_macs(model.backbone, (32, 48))
    parameters = count_parameters(model)
    assert parameters['decode_head'] == 9 * 8 * 4 + 2 * 4 + 4 * 3 + 3
    assert parameters['total'] == parameters['backbone'] + parameters['decode_head']


@pytest.mark.parametrize('name', ['fpn', 'c4'])
def test_both_ends_against_the_counter(name, request):
    model = request.getfixturevalue(name)
    never_halt(model)
    macs = count_macs(model, (64, 90), 7)
    assert macs.input_size == (64, 96)  # padded
    data = random_input(model, (64, 90))
    ends = {}
    for end, budget in (('highest', {}), ('lowest', {'max_iterations': 1})):
        for module in iterative(model):
            module.set_budget(**budget)
        with fixed_proposals(model, 7):
            ends[end] = counted(lambda: model(**data, mode='tensor'))
    for module in iterative(model):
        module.set_budget()
    for end, by_child in (('highest', macs.highest), ('lowest', macs.lowest)):
        assert sum(by_child.values()) == ends[end]['Global']
        assert by_child['backbone'] == ends[end]['FasterRCNN.backbone']
        assert by_child['rpn_head'] == ends[end]['FasterRCNN.rpn_head']
        parts = [n for n in ends[end] if n.startswith('FasterRCNN.roi_head.') and n.count('.') == 2]
        assert by_child['roi_head'] == sum(ends[end][part] for part in parts)
    assert ends['lowest']['Global'] < ends['highest']['Global']


def test_the_roi_heads_cost_is_that_of_its_proposals(c4):
    few, many = (count_macs(c4, (64, 96), number) for number in (1, 33))
    assert {m.name: m.rows for m in many.iterative} == {'backbone': 1, 'roi_head.shared_head': 33}
    assert many.lowest['roi_head'] == 33 * few.lowest['roi_head']
    assert many.rest['roi_head'] == 33 * 256 * (6 + 1 + 6 * 4)
    assert {**many.rest, 'roi_head': 0} == {**few.rest, 'roi_head': 0}


def test_the_budget_bounds_the_highest_and_stays(c4):
    free = count_macs(c4, (64, 96), 3)
    c4.backbone.set_budget(max_iterations=(1, 2, 2))
    budget = c4.backbone.budget
    macs = count_macs(c4, (64, 96), 3)
    assert c4.backbone.budget is budget
    assert c4.roi_head.shared_head.budget.caps is None
    table = mac_table(c4.backbone, (64, 96))
    assert macs.iterative[0].limits == (1, 2, 2)
    assert macs.highest['backbone'] == table.total((1, 2, 2), (1, 2, 2))
    assert macs.highest['roi_head'] == free.highest['roi_head']
    assert macs.lowest == free.lowest
    c4.backbone.set_budget()


def test_the_inference_form_costs_the_same_and_stays():
    model = detector(FPN, narrow_fpn)
    plain = count_macs(model, (64, 96), 10)
    for module in iterative(model):
        module.optimize_for_inference()
    found = count_macs(model, (64, 96), 10)
    assert (found.lowest, found.highest) == (plain.lowest, plain.highest)
    assert all(module.optimized for module in iterative(model))


def test_a_plain_detector_is_all_rest():
    cfg = Config.fromfile(config_root() / FPN)
    narrow_fpn(cfg)
    cfg.model.backbone = ConfigDict(
        type='ResNet', depth=50, base_channels=16, init_cfg=dict(type='Pretrained', checkpoint='none')
    )
    model = built(cfg)
    macs = count_macs(model, (64, 96), 5)
    data = random_input(model, (64, 96))
    with fixed_proposals(model, 5):
        expected = counted(lambda: model(**data, mode='tensor'))['Global']
    assert macs.iterative == ()
    assert macs.lowest == macs.highest == macs.rest
    assert sum(macs.rest.values()) == expected
    model.train()  # mmdet's ResNet
    assert count_parameters(model)['total'] == sum(p.numel() for p in model.parameters())


def test_a_classifier_and_what_no_child_computes():
    from mmpretrain.models import ImageClassifier

    class Scaled(ImageClassifier):
        def extract_feat(self, inputs, stage='neck'):
            (feature,) = super().extract_feat(inputs, stage)
            return (feature @ torch.eye(8),)

    backbone = dict(segmentor_config().model.backbone, out_indices=(1,))
    cfg = ConfigDict(
        default_scope='mmpretrain',
        data_preprocessor=dict(type='ClsDataPreprocessor'),
        model=dict(
            type=Scaled,
            backbone=backbone,
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=5, in_channels=8),
        ),
    )
    macs = count_macs(built(cfg), (16, 16))
    assert macs.rest[ELSEWHERE] == 8 * 8
    assert macs.rest['head'] == 8 * 5
    assert macs.rest['backbone'] == macs.rest['neck'] == 0


@pytest.mark.parametrize('number', [1, 20, 21, 50])
def test_exactly_so_many_proposals(c4, number):
    data = random_input(c4, (64, 96))
    with torch.no_grad(), fixed_proposals(c4, number):
        ((scores, _),) = c4(**data, mode='tensor')
    assert len(scores) == number


def test_no_proposal_at_all_becomes_so_many(c4, monkeypatch):
    data = random_input(c4, (64, 96))
    predict = c4.rpn_head.predict
    monkeypatch.setattr(
        type(c4.rpn_head), 'predict', lambda *a, **k: [p[:0] for p in predict(*a[1:], **k)]
    )
    with torch.no_grad(), fixed_proposals(c4, 3):
        ((scores, _),) = c4(**data, mode='tensor')
    assert len(scores) == 3


def test_the_default_number_of_proposals(c4):
    assert most_proposals(c4) == 20
    assert most_proposals(built(segmentor_config())) is None
    with fixed_proposals(c4, 3):
        assert 'predict' in vars(c4.rpn_head)
    assert 'predict' not in vars(c4.rpn_head)


def test_counting_leaves_a_budget_by_share_in_force():
    model = built(segmentor_config())
    backbone = model.backbone
    backbone.set_budget_table(BudgetTable.of([(0.5, Setting((0.25, 0.5), (1, 2)))]))
    backbone.set_budget(share=0.5)
    assert count_macs(model, (32, 48)).iterative[0].limits == (1, 2)
    assert backbone.limits() == [[1], [2]]
    offsets = [stage.blocks[0].halting.offset for stage in backbone.iterative_stages()]
    assert offsets == [0.25, 0.5]
