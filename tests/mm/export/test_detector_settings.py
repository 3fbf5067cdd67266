"""Settings of detectors that the exported form follows: the boxes of mmdet's own predict."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from iterbackbone.mm.export.exported import exported
from tests.support.detector_configs import detector_cfg
from tests.support.detectors import (
    SIZES,
    boxes_of,
    check_same,
    contrasts,
    detector,
    torch_form,
)

pytestmark = pytest.mark.slow

VARIANTS = {
    'class-agnostic boxes': (
        'faster_rcnn',
        dict(roi_head=dict(bbox_head=dict(reg_class_agnostic=True))),
    ),
    'small boxes left out': ('faster_rcnn', dict(test_cfg=dict(rpn=dict(min_bbox_size=12)))),
    'boxes without area kept': ('retinanet', dict(test_cfg=dict(min_bbox_size=-1))),
    'RoIAlign of old': (
        'faster_rcnn',
        dict(roi_head=dict(bbox_roi_extractor=dict(roi_layer=dict(aligned=False, sampling_ratio=2)))),
    ),
    'one level of RoIs': (
        'faster_rcnn',
        dict(roi_head=dict(bbox_roi_extractor=dict(featmap_strides=[4]))),
    ),
    'classes of a cascade': (
        'cascade_mask_rcnn',
        dict(roi_head=dict(bbox_head={str(k): dict(reg_class_agnostic=False) for k in range(3)})),
    ),
    'masks of no class': (
        'mask_rcnn',
        dict(roi_head=dict(mask_head=dict(class_agnostic=True))),
    ),
    'NMS over all classes': ('retinanet', dict(test_cfg=dict(nms=dict(class_agnostic=True)))),
    'boxes beyond the border': ('retinanet', dict(bbox_head=dict(bbox_coder=dict(clip_border=False)))),
    'centers held': (
        'retinanet',
        dict(bbox_head=dict(bbox_coder=dict(add_ctr_clamp=True, ctr_clamp=2))),
    ),
    'softmax': (
        'retinanet',
        dict(
            bbox_head=dict(loss_cls=dict(_delete_=True, type='CrossEntropyLoss', use_sigmoid=False)),
            test_cfg=dict(score_thr=0.3),
        ),
    ),
    'centerness': (
        'retinanet',
        dict(
            type='ATSS',
            bbox_head=dict(
                type='ATSSHead',
                reg_decoded_bbox=True,
                loss_bbox=dict(_delete_=True, type='GIoULoss'),
                loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True),
                norm_cfg=dict(type='BN'),
            ),
        ),
    ),
}


IMAGES = [image for size in SIZES for image in contrasts(size)]


@cache
def usual_boxes(base):
    """Of the images without a change of settings."""
    model = detector(detector_cfg(base))
    return [boxes_of(model, image)[0] for image in IMAGES]


@pytest.mark.parametrize('name', VARIANTS)
def test_variants(name):
    """Settings that the graph follows: the module by itself, without an export."""
    base, changes = VARIANTS[name]
    model = detector(detector_cfg(base, **changes))
    module = exported(model)
    assert module.task == 'detection'
    found = []
    for image in IMAGES:
        wanted = boxes_of(model, image)
        check_same(torch_form(module, image), wanted)
        found.append(wanted[0])
    assert not all(map(np.array_equal, found, usual_boxes(base)))
