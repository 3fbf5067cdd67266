"""Narrow detectors and segmentors whose images and RoIs halt at different iterations."""

from __future__ import annotations

import json
from collections import Counter

import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from torch.utils.flop_counter import FlopCounterMode

from iterbackbone.log.parsing import to_line
from iterbackbone.log.schema import META, RECORDS
from iterbackbone.mm.configs import build_model, random_input
from iterbackbone.mm.evaluation.image_compute import image_compute
from iterbackbone.mm.evaluation.meta import iterative_fields, parameter_counts
from iterbackbone.mm.traces import TraceCollector
from tests.support.classifier_runs import BACKBONE
from tests.support.networks import varied

FPN = 'detection/faster-rcnn_iterative-r50-tiny_fpn_shapes.py'
C4 = 'detection/faster-rcnn_iterative-r152-c4_1x_voc2007.py'
C4_MODULES = ('backbone', 'roi_head.shared_head')


def narrow_c4(cfg):
    """The paper's detector at an eighth of its width, 20 proposals."""
    narrow = dict(base_channels=8, halting=dict(hidden=8))
    cfg.model.backbone.update(narrow, max_iterations=(3, 4, 6))
    cfg.model.rpn_head.update(in_channels=128, feat_channels=16)
    cfg.model.roi_head.bbox_roi_extractor.out_channels = 128
    cfg.model.roi_head.shared_head.update(narrow, max_iterations=5)
    cfg.model.roi_head.bbox_head.update(in_channels=256, num_classes=6)
    cfg.model.test_cfg.rpn.max_per_img = 20


def narrow_fpn(cfg):
    """The quickstart's detector, 20 proposals."""
    cfg.model.test_cfg.rpn.max_per_img = 20


def segmentor_config(test_cfg=None, **head):
    """EncoderDecoder with two stages, 8 channels at stride 2."""
    model = dict(
        type='EncoderDecoder',
        data_preprocessor=dict(type='SegDataPreProcessor'),
        backbone=dict(
            BACKBONE,
            norm_cfg=dict(type='SyncBN'),
            init_cfg=dict(type='Pretrained', checkpoint='missing.pth'),
        ),
        decode_head=dict(
            type='FCNHead',
            in_channels=8,
            in_index=1,
            channels=4,
            num_convs=1,
            concat_input=False,
            num_classes=3,
            norm_cfg=dict(type='BN'),
            **head,
        ),
        test_cfg=test_cfg or dict(mode='whole'),
        pretrained='open-mmlab://nothing',
    )
    return ConfigDict(default_scope='mmseg', model=model)


def spread(model, names, batches):
    """Make images, and where there is a RoI head their RoIs, halt at different iterations.

    ``batches`` are run one by one to see what the named modules are given.
    """
    model.eval()
    for name in names:
        seen = []
        handle = model.get_submodule(name).register_forward_pre_hook(
            lambda module, args, seen=seen: seen.append(args[0])
        )
        with torch.no_grad():
            for batch in batches:
                batch(model)
        handle.remove()
        varied(model.get_submodule(name), torch.cat(seen))


def counted(run) -> Counter:
    """MACs that torch counts while ``run()``, of each module called and in total (``Global``)."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    counts = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    assert all(flops % 2 == 0 for flops in counts.values())
    return Counter({name: flops // 2 for name, flops in counts.items()})


def built(cfg):
    """The config's model, with repeatable weights."""
    torch.manual_seed(0)
    model = build_model(cfg)
    init_default_scope(cfg.default_scope)
    return model


def noise(model, size, number) -> dict:
    """Input of the model: one image, whose contrast goes with its number."""
    data = random_input(model, size)
    data['inputs'] = data['inputs'] * (0.1 + number)
    return data


def spread_on_noise(model, names, size, count=5):
    """As :func:`spread`, on so many images of noise."""
    inputs = [noise(model, size, number) for number in range(count)]
    spread(model, names, [lambda m, data=data: m(**data, mode='predict') for data in inputs])


def evaluate(model, sizes, folder) -> list[int]:
    """Write the log of an evaluation on images of noise; MACs that torch counts in each."""
    collector, macs = TraceCollector(model), []
    folder.mkdir()
    with open(folder / RECORDS, 'wb') as file:
        for number, size in enumerate(sizes):
            collector.reset()
            data = noise(model, size, number)
            macs.append(counted(lambda data=data: model(**data, mode='predict'))['Global'])
            (record,) = image_compute(collector, 1)
            file.write(to_line(record))
    content = {
        'schema_version': 1,
        'classes': [],
        'parameters': parameter_counts(model),
        **iterative_fields(collector.names, {c.module: c.trace.input_size for c in collector.calls}),
    }
    (folder / META).write_text(json.dumps(content))
    collector.detach()
    return macs
