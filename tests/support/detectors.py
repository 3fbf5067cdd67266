"""Narrow detectors with random weights that find boxes, and mmdet's own boxes of an image."""

from __future__ import annotations

import copy
from functools import partial

import numpy as np
import torch
from mmdet.models.roi_heads.mask_heads.fcn_mask_head import _do_paste_mask
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from torch import nn

from iterbackbone.mm.configs import build_model
from iterbackbone.mm.export.preparation import Preparation
from tests.support.compute import spread
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
MASKS = dict(
    mask_roi_extractor=dict(out_channels=8, featmap_strides=[4, 8]),
    mask_head=dict(in_channels=8, conv_out_channels=8, num_convs=1, num_classes=CLASSES),
)
MASK_RCNN = {**FASTER_RCNN, 'roi_head': {**FASTER_RCNN['roi_head'], **MASKS}}
CASCADE = {  # of three stages
    **MASK_RCNN,
    'roi_head': {
        **MASK_RCNN['roi_head'],
        'bbox_head': {str(k): FASTER_RCNN['roi_head']['bbox_head'] for k in range(3)},
    },
}
C4 = dict(
    backbone=dict(BACKBONE, out_indices=(1,)),
    rpn_head=dict(
        in_channels=16, feat_channels=8, anchor_generator=dict(strides=[8], scales=[1, 2, 4])
    ),
    roi_head=dict(
        shared_head=dict(
            _delete_=True,
            type='iterbackbone.IterativeResLayer',
            base_channels=4,
            expansion=2,
            stage=2,
            max_iterations=4,
        ),
        bbox_roi_extractor=dict(out_channels=16, featmap_strides=[8], roi_layer=dict(output_size=8)),
        bbox_head=dict(in_channels=32, roi_feat_size=4, num_classes=CLASSES),
    ),
    test_cfg=dict(rpn=dict(nms_pre=100, max_per_img=30), rcnn=dict(score_thr=0.25, max_per_img=40)),
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
DETR = dict(
    backbone=dict(BACKBONE, out_indices=(1,)),
    neck=dict(in_channels=[16]),
    num_queries=30,
    encoder=dict(num_layers=1),
    decoder=dict(num_layers=1),
    bbox_head=dict(num_classes=CLASSES),
    test_cfg=dict(max_per_img=20),
)
BASES = {
    'detr': ('detr/detr_r50_8xb2-150e_coco.py', DETR),
    'fcos': ('fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', FCOS),
    'faster_rcnn': ('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', FASTER_RCNN),
    'mask_rcnn': ('mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', MASK_RCNN),
    'cascade_mask_rcnn': ('cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py', CASCADE),
    'c4': ('faster_rcnn/faster-rcnn_r50-caffe-c4_ms-1x_coco.py', C4),
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
    if getattr(getattr(model, 'roi_head', None), 'with_shared_head', False):
        for layer in (model.rpn_head.rpn_cls, model.rpn_head.rpn_reg):
            layer.weight.data.mul_(0.1)  # else scores are 1 to all digits, and their order is open
        spread(
            model, ['roi_head.shared_head'], [partial(boxes_of, image=i) for i in contrasts((64, 64))]
        )
    return model.eval()


def contrasts(size, count=4):
    """Images of noise, (1, 3, H, W) uint8, of rising contrast."""
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(count, 3, *size)) * np.linspace(5, 70, count).reshape(-1, 1, 1, 1)
    return list((noise + 128).clip(0, 255).astype(np.uint8)[:, None])


@torch.no_grad()
def boxes_of(model, image):
    """mmdet's own: boxes, scores, labels and iterations of a (1, 3, H, W) uint8 image in RGB.

    Then masks, (N, H, W) bool, and iterations of regions, where there are any.
    """
    size = image.shape[2:]
    sample = DetDataSample(metainfo=dict(img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0)))
    loaded = torch.from_numpy(image[0, ::-1].copy())  # in BGR
    found = model.test_step(dict(inputs=[loaded], data_samples=[sample]))[0].pred_instances
    iterations = model.backbone.trace.iterations
    more = [found.masks] if 'masks' in found else []
    if getattr(getattr(model, 'roi_head', None), 'with_shared_head', False):
        more.append(model.roi_head.shared_head.trace.iterations)
    return [x.numpy() for x in (found.bboxes, found.scores, found.labels, iterations, *more)]


def torch_form(module, image):
    """As :func:`boxes_of`, by the module itself, with masks as it returns them."""
    with torch.no_grad():
        return ordered(module.outputs, [x.numpy() for x in module(torch.from_numpy(image))])


def ordered(names, values):
    """Boxes, scores, labels, iterations and the rest, without MACs."""
    found = dict(zip(names, values, strict=True))
    del found['macs']
    first = ['boxes', 'scores', 'labels', 'iterations']
    return [found.pop(name) for name in first] + list(found.values())


def check_same(found, wanted):
    """Boxes within 0.01 pixels, scores within 1e-4; labels and iterations exactly, of regions, too.

    Boxes whose scores are equal to 5 digits may come in another order.
    """
    for one, other in zip(found, wanted, strict=True):
        assert one.shape[:2] == other.shape[:2] or one.ndim == 3
    if len(found) > 4 and found[4].ndim == 3:
        check_masks(found, wanted)
    elif len(found) > 4:
        np.testing.assert_array_equal(found[4], wanted[4])
    found, wanted = (_ordered(each[:4]) for each in (found, wanted))
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-2, rtol=0)
    np.testing.assert_allclose(found[1], wanted[1], atol=1e-4, rtol=0)
    np.testing.assert_array_equal(found[2], wanted[2])
    np.testing.assert_array_equal(found[3], wanted[3])


def check_masks(found, wanted):
    """Masks that mmdet pastes from the probabilities found are those wanted."""
    height, width = wanted[4].shape[1:]
    for box, grid, mask in zip(found[0], found[4], wanted[4], strict=True):
        grid, box = torch.from_numpy(grid[None, None]), torch.from_numpy(box[None])
        pasted = _do_paste_mask(grid, box, height, width, skip_empty=False)[0][0]
        assert np.mean((pasted >= 0.5).numpy() == mask) > 0.99


def _ordered(results):
    boxes, scores, labels, *rest = results
    order = np.lexsort((boxes.sum(axis=1).round(1), -scores.round(5)))
    return [boxes[order], scores[order], labels[order], *rest]
