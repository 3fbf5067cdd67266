"""SwAV: its head shares parameters and its optimizer has no weight decay."""

from __future__ import annotations

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.structures import DataSample

from tests.support.drop_in_runs import FakeImages, snippet
from tests.support.tiny_training import Spy, labelled_loader

SMALL = dict(
    backbone=dict(base_channels=8, expansion=2, out_indices=(3,)),
    neck=dict(in_channels=128, hid_channels=16, out_channels=16),
    head=dict(loss=dict(feat_dim=16, num_prototypes=20)),
)


def test_swav_trains_with_its_hook(tmp_path):
    base = 'mmpretrain::swav/swav_resnet50_8xb32-mcrop-coslr-200e_in1k-224px-96px.py'
    text = snippet().replace('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', base)
    (tmp_path / 'mine.py').write_text(text)
    cfg = Config.fromfile(tmp_path / 'mine.py')
    cfg.merge_from_dict(dict(model=SMALL))
    cfg.custom_hooks[0].update(feat_dim=16, batch_size=2)
    crops = [torch.randint(256, (3, size, size)) for size in [64] * 2 + [32] * 6]
    loader = labelled_loader(FakeImages([dict(inputs=crops, data_samples=DataSample())] * 2), 2)
    spy = Spy()
    runner = Runner(
        model=cfg.model,
        work_dir=str(tmp_path),
        train_dataloader={**loader, 'collate_fn': dict(type='default_collate')},
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=cfg.optim_wrapper,
        default_hooks=cfg.default_hooks,
        custom_hooks=[*cfg.custom_hooks, spy],
        data_preprocessor=cfg.data_preprocessor,
        default_scope=cfg.default_scope,
        log_level='WARNING',
    )
    runner.train()
    assert spy.steps[0]['outputs'].keys() == {'loss'}
    assert spy.steps[0]['grads']['backbone.stages.3.blocks.0.conv1.weight'].abs().sum() > 0
