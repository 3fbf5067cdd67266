"""The projects' own inferencers report each image's iterations, without a Runner."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.registry import init_default_scope
from mmpretrain import ImageClassificationInferencer
from mmseg.apis import MMSegInferencer

from iterbackbone.core.macs import mac_table
from iterbackbone.mm import report_iterations
from tests.support.compute import spread
from tests.support.drop_in_runs import families, family_config


def detector(cfg):
    inferencer = DetInferencer(cfg, device='cpu', show_progress=False)
    return inferencer, lambda images, **more: inferencer(images, **more)['predictions']


def segmentor(cfg):
    inferencer = MMSegInferencer(cfg, device='cpu', show_progress=False)
    return inferencer, inferencer


def classifier(cfg):
    init_default_scope('mmpretrain')  # where others were used before, which this one does not do
    inferencer = ImageClassificationInferencer(cfg, pretrained=False, device='cpu')
    return inferencer, inferencer


def shrink(pipeline):
    """Test images of 64x64."""
    for step in pipeline:
        if step['type'] == 'Resize':
            step['scale'] = (64, 64)
        elif step['type'] in ('ResizeEdge', 'CenterCrop'):
            step['scale' if 'scale' in step else 'crop_size'] = 64


@pytest.mark.parametrize('batch_size', [1, 2])
@pytest.mark.parametrize(
    ('library', 'make'), [('mmdet', detector), ('mmseg', segmentor), ('mmpretrain', classifier)]
)
def test_iterations_and_macs_of_each_image(library, make, batch_size, tmp_path):
    cfg = family_config(families(library)[0], tmp_path)
    shrink(cfg.test_dataloader.dataset.pipeline)
    inferencer, infer = make(cfg)
    model = report_iterations(inferencer.model)
    options = dict(batch_size=batch_size, return_datasamples=True)
    contrasts = (
        np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)) / np.arange(1, 5)[:, None, None, None]
    )
    images = list(contrasts.astype(np.uint8))
    spread(model, ['backbone'], [lambda _: infer(images, **options)])
    seen = []
    model.backbone.register_forward_hook(lambda backbone, *_: seen.append(backbone.iterations()))
    predictions = infer(images, **options)
    iterations = torch.cat(seen).tolist()
    assert len(seen) == 4 // batch_size
    assert len({tuple(row) for row in iterations}) > 1
    table = mac_table(model.backbone, (64, 64))
    assert [sample.iterations for sample in predictions] == iterations
    assert [sample.macs for sample in predictions] == [table.total(row) for row in iterations]
