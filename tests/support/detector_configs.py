"""Configs of narrow detectors, made of mmdet's own."""

from __future__ import annotations

import copy

from mmengine.config import Config
from mmengine.hub import get_config

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
