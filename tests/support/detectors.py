"""Narrow detectors with random weights that find boxes, and mmdet's own boxes of an image."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from mmdet.models.roi_heads.mask_heads.fcn_mask_head import _do_paste_mask
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope
from torch import nn

from iterbackbone.mm.configs import build_model
from iterbackbone.mm.export.models import Preparation
from tests.support.compute import spread
from tests.support.networks import varied

SIZES = [(64, 64), (70, 90), (33, 150), (8, 8)]  # of the second and third all levels are padded


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
