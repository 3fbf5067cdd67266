"""Label maps by hand, and evaluations of a tiny segmentor whose images halt at different iterations."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from iterbackbone.core.macs import mac_table
from iterbackbone.mm.evaluation.segmentation import label_maps, true_label_map
from iterbackbone.mm.evaluation.sources import Source
from tests.support.networks import varied
from tests.support.openmmlab import segmentor_config

CLASSES = ('background', 'cat', 'dog')
NOWHERE = Source(None, [])


def sample(predicted, true=None):
    """mmseg's of one image with these label maps."""
    data = SegDataSample(metainfo=dict(img_path='images/a.jpg'))
    data.pred_sem_seg = PixelData(data=torch.tensor(predicted)[None])
    if true is not None:
        data.gt_sem_seg = PixelData(data=torch.tensor(true)[None])
    return data


def maps_of(data, source=NOWHERE):
    """The label maps that are logged of a sample."""
    true = true_label_map(data, source, print)
    return label_maps(data, true)


def evaluate(shapes_root, tmp_path, test_cfg=None, tta_pipeline=None):
    """The runner and the folder of a test of the five images of 96x64, in batches of two."""
    cfg = segmentor_config(shapes_root, tmp_path)
    cfg.test_dataloader['batch_size'] = 2
    cfg.model.test_cfg = test_cfg or cfg.model.test_cfg
    if tta_pipeline:
        cfg.test_dataloader['dataset']['pipeline'] = tta_pipeline
        cfg.model = dict(type='SegTTAModel', module=cfg.model)
    cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = cfg.param_scheduler = None
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    runner = Runner.from_cfg(cfg)
    backbone = model_of(runner).backbone
    torch.manual_seed(1)
    varied(backbone, inputs(runner, shapes_root))
    runner.test()
    (folder,) = Path(tmp_path).glob('*/iterations/test_epoch_0')
    return runner, folder


def model_of(runner):
    return getattr(runner.model, 'module', runner.model)


def val_ids(shapes_root):
    return (shapes_root / 'VOCdevkit/VOC2007/ImageSets/Main/val.txt').read_text().split()


def inputs(runner, shapes_root):
    """(5, 3, 64, 96): the validation images as the model sees them."""
    files = [shapes_root / f'VOCdevkit/VOC2007/JPEGImages/{i}.jpg' for i in val_ids(shapes_root)]
    images = [torch.from_numpy(cv2.imread(str(f)).transpose(2, 0, 1).copy()) for f in files]
    return model_of(runner).data_preprocessor(dict(inputs=images))['inputs']


def passes(backbone, batches):
    """Iterations per stage (calls, images, stages) and summed MACs (images,) of separate passes."""
    iterations, macs = [], 0
    with torch.no_grad():
        for x in batches:
            backbone(x)
            table = mac_table(backbone, tuple(x.shape[2:]))
            counts = backbone.trace.iterations
            iterations.append(counts)
            macs = macs + np.array([table.total(row) for row in counts.tolist()])
    return torch.stack(iterations).double(), macs


def read_maps(folder, prediction):
    return [
        cv2.imread(str(folder / prediction[k]), cv2.IMREAD_UNCHANGED)
        for k in ('predicted_map', 'true_map')
    ]
