"""Narrow detectors with random weights that find boxes, and mmdet's own boxes of an image."""

from __future__ import annotations

import copy

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from torch import nn

from iterbackbone.mm.configs import build_model
from iterbackbone.mm.export.preparation import Preparation
from tests.support.networks import varied

CLASSES = 3
BACKBONE = dict(
    _delete_=True,
    type='iterbackbone.IterativeResNet',
    base_channels=4,
    expansion=2,
    num_stages=2,
    max_iterations=(4, 5),
    out_indices=(0, 1),
)
NECK = dict(in_channels=[8, 16], out_channels=8, start_level=0, num_outs=2)
ANCHORS = dict(strides=[4, 8])
FASTER_RCNN = dict(
    backbone=BACKBONE,
    neck=NECK,
    rpn_head=dict(in_channels=8, feat_channels=8, anchor_generator=ANCHORS),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=8, featmap_strides=[4, 8], finest_scale=20),
        bbox_head=dict(in_channels=8, fc_out_channels=16, num_classes=CLASSES),
    ),
    test_cfg=dict(rpn=dict(nms_pre=100, max_per_img=60), rcnn=dict(score_thr=0.25, max_per_img=40)),
)
RETINANET = dict(
    backbone=BACKBONE,
    neck=NECK,
    bbox_head=dict(
        in_channels=8,
        feat_channels=8,
        stacked_convs=1,
        num_classes=CLASSES,
        anchor_generator=ANCHORS,
    ),
    test_cfg=dict(nms_pre=100, max_per_img=20, score_thr=0.5),
)
FCOS = dict(
    backbone=BACKBONE,
    neck=NECK,
    bbox_head=dict(
        in_channels=8,
        feat_channels=8,
        stacked_convs=1,
        num_classes=CLASSES,
        strides=[4, 8],
        regress_ranges=((-1, 64), (64, 1e8)),
        norm_cfg=dict(type='GN', num_groups=4),
        norm_on_bbox=True,
    ),
    test_cfg=dict(nms_pre=100, max_per_img=20, score_thr=0.4),
)
BASES = {
    'fcos': ('fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', FCOS),
    'faster_rcnn': ('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', FASTER_RCNN),
    'retinanet': ('retinanet/retinanet_r50_fpn_1x_coco.py', RETINANET),
}
SIZES = [(64, 64), (70, 90), (33, 150), (8, 8)]  # of the second and third all levels are padded


def detector_cfg(name, **model) -> Config:
    """One of ``BASES``: at most 100 candidates of each of two levels.

    Args:
        name: Of the base.
        model: More changes, as in a config file.
    """
    file, small = BASES[name]
    cfg = get_config(f'mmdet::{file}')
    for changes in (small, model):
        cfg.merge_from_dict(dict(model=copy.deepcopy(changes)))  # which it changes
    return cfg


def detector(cfg) -> nn.Module:
    """The config's detector, with scores and boxes that vary and images that halt at their own time."""
    torch.manual_seed(0)
    model = build_model(cfg)
    init_default_scope('mmdet')
    images = torch.cat([torch.from_numpy(image) for image in contrasts((64, 64))])
    varied(model.backbone, Preparation(model.data_preprocessor)(images))
    heads = [part for name, part in model.named_children() if 'head' in name]
    for layer in nn.ModuleList(heads).modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_normal_(layer.weight, gain=0.3)
            if layer.bias is not None:
                nn.init.normal_(layer.bias, std=0.1)
    return model.eval()


def contrasts(size, count=4):
    """Images of noise, (1, 3, H, W) uint8, of rising contrast."""
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(count, 3, *size)) * np.linspace(5, 70, count).reshape(-1, 1, 1, 1)
    return list((noise + 128).clip(0, 255).astype(np.uint8)[:, None])


@torch.no_grad()
def boxes_of(model, image):
    """mmdet's own: boxes, scores, labels and iterations of a (1, 3, H, W) uint8 image in RGB."""
    size = image.shape[2:]
    sample = DetDataSample(metainfo=dict(img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0)))
    loaded = torch.from_numpy(image[0, ::-1].copy())  # in BGR
    found = model.test_step(dict(inputs=[loaded], data_samples=[sample]))[0].pred_instances
    iterations = model.backbone.trace.iterations
    return [x.numpy() for x in (found.bboxes, found.scores, found.labels, iterations)]


def torch_form(module, image):
    """Boxes, scores, labels and iterations of the module itself."""
    with torch.no_grad():
        return [x.numpy() for x in module(torch.from_numpy(image))[:4]]


def check_same(found, wanted):
    """Boxes within 0.01 pixels, scores within 1e-4; labels and iterations exactly.

    Boxes whose scores are equal to 5 digits may come in another order.
    """
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
    found, wanted = map(_ordered, (found, wanted))
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-2, rtol=0)
    np.testing.assert_allclose(found[1], wanted[1], atol=1e-4, rtol=0)
    np.testing.assert_array_equal(found[2], wanted[2])
    np.testing.assert_array_equal(found[3], wanted[3])


def _ordered(results):
    boxes, scores, labels, *rest = results
    order = np.lexsort((boxes.sum(axis=1).round(1), -scores.round(5)))
    return [boxes[order], scores[order], labels[order], *rest]
