"""What whole inference, sliding windows and test-time augmentation cost, against separate passes."""

from __future__ import annotations

import warnings

import pytest
import torch

from iterbackbone.core.macs import mac_table
from tests.support.openmmlab import read_log
from tests.support.segmentation_runs import evaluate, inputs, passes, read_maps, val_ids

SLIDE = dict(mode='slide', crop_size=(32, 64), stride=(32, 32))  # 2 x 2 crops
CROPS = [(y, x) for y in (0, 32) for x in (0, 32)]
FLIPS = [dict(type='RandomFlip', prob=p, direction='horizontal') for p in (0.0, 1.0)]
SCALES = [dict(type='Resize', scale=scale, keep_ratio=True) for scale in ((96, 64), (192, 128))]
TTA = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[SCALES, FLIPS, [dict(type='LoadAnnotations')], [dict(type='PackSegInputs')]],
    ),
]


def test_compute_of_whole_inference(whole, shapes_root):
    runner, folder = whole
    records, _, _ = read_log(folder)
    iterations, macs = passes(runner.model.backbone, [inputs(runner, shapes_root)])
    assert len({tuple(record['iterations']) for record in records}) > 2
    assert [record['iterations'] for record in records] == iterations[0].tolist()
    assert [record['macs'] for record in records] == macs.tolist()
    assert {record['num_calls'] for record in records} == {1}


def test_compute_of_sliding_windows(shapes_root, tmp_path):
    runner, folder = evaluate(shapes_root, tmp_path, test_cfg=SLIDE)
    records, _, meta = read_log(folder)
    images = inputs(runner, shapes_root)
    crops = [images[:, :, y : y + 32, x : x + 64] for y, x in CROPS]
    iterations, macs = passes(runner.model.backbone, crops)
    assert iterations.std(dim=0).max() > 0
    for i, record in enumerate(records):
        assert record['iterations'] == iterations[:, i].mean(dim=0).tolist()
        assert record['macs'] == macs[i]
        assert record['macs_full'] == 4 * mac_table(runner.model.backbone, (32, 64)).highest
        assert record['num_calls'] == 4
    assert meta['mac_table']['input_size'] == [32, 64]


@pytest.mark.parametrize('crop', [(64, 96), (512, 512)])
def test_a_window_over_the_whole_image_is_whole_inference(whole, shapes_root, tmp_path, crop):
    slide = dict(mode='slide', crop_size=crop, stride=crop)
    _, folder = evaluate(shapes_root, tmp_path, test_cfg=slide)
    assert read_log(folder)[:2] == read_log(whole[1])[:2]


def test_compute_of_test_time_augmentation(whole, shapes_root, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # mmseg's merged (H, W) predictions
        runner, folder = evaluate(shapes_root, tmp_path, tta_pipeline=TTA)
    records, predictions, meta = read_log(folder)
    backbone = runner.model.module.backbone
    augmented = []
    for item in runner.test_dataloader.dataset:
        stacked = [runner.model.module.data_preprocessor(dict(inputs=[x])) for x in item['inputs']]
        augmented.append([x['inputs'] for x in stacked])
    iterations, macs = passes(backbone, [torch.cat(same) for same in zip(*augmented, strict=True)])
    assert len(iterations) == 4
    assert iterations.std(dim=0).max() > 0
    for i, record in enumerate(records):
        assert record['iterations'] == iterations[:, i].mean(dim=0).tolist()
        assert record['macs'] == macs[i]
        assert record['num_calls'] == 4
    assert [r['img_id'] for r in records] == val_ids(shapes_root)
    for prediction, other in zip(predictions, read_log(whole[1])[1], strict=True):
        truth = read_maps(folder, prediction)[1]
        assert (truth == read_maps(whole[1], other)[1]).all()
    assert meta['task'] == 'segmentation'
