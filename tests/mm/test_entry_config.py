"""``entry`` of a config: any registered backbone, its own start, whole detectors."""

from __future__ import annotations

import pytest
import torch
from mmdet.registry import MODELS as DETECTORS
from mmengine.registry import init_default_scope
from torch.utils.flop_counter import FlopCounterMode

from iterbackbone.mm import IterativeResNet
from iterbackbone.mm.counting.model_macs import count_macs

STAGES = dict(base_channels=4, num_stages=2, max_iterations=(2, 3), strides=(1, 2))
ENTRY = dict(
    type='mmdet.ResNet',
    depth=18,
    num_stages=2,
    strides=(1, 2),
    dilations=(1, 1),
    out_indices=(1,),
)


def test_a_registered_backbone_is_the_entry():
    net = IterativeResNet(entry=ENTRY, **STAGES)
    assert (net.stem.reduction, net.stem.out_channels) == (8, 128)
    assert not net.train().stem.network.training
    assert ENTRY['type'] == 'mmdet.ResNet'  # the config is not used up
    assert [f.shape[1:] for f in net(torch.rand(2, 3, 64, 64))] == [(16, 8, 8), (32, 4, 4)]


def test_it_starts_from_its_own_checkpoint(tmp_path):
    trained = DETECTORS.build(dict(ENTRY))
    path = tmp_path / 'resnet18.pth'
    torch.save(trained.state_dict(), path)
    init = dict(type='Pretrained', checkpoint=str(path))
    net = IterativeResNet(entry={**ENTRY, 'init_cfg': init}, **STAGES)
    gamma = net.stages[0].blocks[0].norm3[0].weight.clone()
    net.init_weights()
    for name, value in trained.state_dict().items():
        assert torch.equal(net.stem.network.state_dict()[name], value)
    assert torch.equal(net.stages[0].blocks[0].norm3[0].weight, gamma)


def test_frozen_is_an_option_beside_its_own():
    net = IterativeResNet(entry={**ENTRY, 'frozen': False}, **STAGES)
    assert net.stem.network.training
    assert all(p.requires_grad for p in net.stem.parameters())


def test_a_checkpoint_of_the_whole_brings_the_entry(tmp_path):
    trained = IterativeResNet(entry=ENTRY, **STAGES)
    path = tmp_path / 'whole.pth'
    torch.save(trained.state_dict(), path)
    net = IterativeResNet(entry=ENTRY, init_cfg=dict(type='Pretrained', checkpoint=str(path)), **STAGES)
    net.init_weights()
    found = net.state_dict()
    assert all(torch.equal(found[name], value) for name, value in trained.state_dict().items())


@pytest.mark.parametrize('entry', ['mmdet.ResNet', {'depth': 18}])
def test_what_is_no_config_is_named(entry):
    with pytest.raises(TypeError, match=r"entry must be a dict such as dict\(type='mmdet.ResNet'"):
        IterativeResNet(entry=entry, **STAGES)


def test_a_whole_detector_is_counted_with_it():
    init_default_scope('mmdet')
    model = DETECTORS.build(
        dict(
            type='RetinaNet',
            data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32),
            backbone=dict(type='iterbackbone.IterativeResNet', entry=ENTRY, **STAGES),
            neck=dict(type='FPN', in_channels=[16, 32], out_channels=8, num_outs=3),
            bbox_head=dict(
                type='RetinaHead',
                num_classes=2,
                in_channels=8,
                feat_channels=8,
                stacked_convs=1,
                anchor_generator=dict(
                    type='AnchorGenerator', scales=[4], ratios=[1.0], strides=[8, 16, 32]
                ),
            ),
            test_cfg=dict(nms_pre=10, score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5)),
        )
    ).eval()
    counted = count_macs(model, (64, 96))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.backbone(torch.rand(1, 3, 64, 96))
    table = counted.iterative[0].table
    ran = model.backbone.iterations()[0].tolist()
    assert counter.get_total_flops() == 2 * table.total(ran)
    assert counted.lowest['backbone'] == table.lowest
