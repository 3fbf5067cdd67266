"""mmseg's data samples as lines and PNG files, inside a real Runner."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.registry import DATASETS

from iterbackbone.mm.evaluation.segmentation import label_map_fields
from iterbackbone.mm.evaluation.sources import Source
from tests.support.interruption import interrupted
from tests.support.openmmlab import read_log, segmentor_config
from tests.support.segmentation_runs import CLASSES, maps_of, read_maps, val_ids


def test_identity_and_meta(whole, shapes_root):
    _, folder = whole
    records, predictions, meta = read_log(folder)
    ids = val_ids(shapes_root)
    assert [r['img_id'] for r in records] == [p['img_id'] for p in predictions] == ids
    assert all(Path(r['img_path']).is_file() for r in records)
    assert {(r['height'], r['width']) for r in records} == {(64, 96)}
    assert meta['task'] == 'segmentation'
    assert meta['classes'][:2] == ['background', 'circle']
    assert len(meta['palette']) == 7
    assert meta['palette'][:2] == [[0, 0, 0], [230, 25, 75]]
    assert 'mIoU' in meta['score']


def test_label_maps_and_their_fields(whole, shapes_root):
    runner, folder = whole
    records, predictions, meta = read_log(folder)
    for i, (record, prediction) in enumerate(zip(records, predictions, strict=True)):
        assert prediction['predicted_map'] == f'predictions/{i:06d}_{record["img_id"]}.png'
        predicted, true = read_maps(folder, prediction)
        mask = shapes_root / f'ADEChallengeData2016/annotations/validation/{record["img_id"]}.png'
        assert (true == cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)).all()
        maps = {'predicted_map': predicted, 'true_map': true}
        fields = label_map_fields(maps, tuple(meta['classes']), {0})
        assert {key: record[key] for key in fields} == fields
        item = runner.test_dataloader.dataset[i]
        with torch.no_grad():
            (result,) = runner.model.test_step(runner.test_dataloader.collate_fn([item]))
        assert (result.pred_sem_seg.data[0].numpy() == predicted).all()
    shares = [record['pixel_accuracy'] for record in records]
    assert 100 * np.mean(shares) == pytest.approx(meta['score']['aAcc'], abs=0.01)  # equal sizes


def test_annotations_loaded_before_resize(whole, shapes_root, tmp_path):
    steps = ['LoadImageFromFile', 'LoadAnnotations', 'Resize', 'PackSegInputs']
    pipeline = [dict(type=step) for step in steps]
    pipeline[2].update(scale=(192, 128), keep_ratio=True)
    cfg = segmentor_config(shapes_root, tmp_path)
    dataset = {**cfg.test_dataloader['dataset'], 'pipeline': pipeline}
    runner, folder = whole
    records, predictions, _ = read_log(folder)
    built = DATASETS.build(dataset)
    for i, item in enumerate(built):
        assert item['data_samples'].gt_sem_seg.shape == (128, 192)
        with torch.no_grad():
            (result,) = runner.model.test_step(runner.test_dataloader.collate_fn([item]))
        maps = maps_of(result, Source.of(built, result.metainfo, i))
        assert (maps['true_map'] == read_maps(folder, predictions[i])[1]).all()
        fields = label_map_fields(maps, CLASSES, {0})
        assert fields['num_objects'] == records[i]['num_objects']


def test_a_test_without_annotations(shapes_root, tmp_path):
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]
    cfg = segmentor_config(shapes_root, tmp_path)
    cfg.test_dataloader['dataset']['pipeline'] = pipeline
    cfg.test_evaluator = dict(type='IoUMetric', format_only=True, output_dir=str(tmp_path / 'out'))
    runner = Runner.from_cfg(cfg)
    runner.test()
    (folder,) = Path(tmp_path).glob('*/iterations/test_epoch_0')
    records, predictions, meta = read_log(folder)
    assert {record['num_objects'] for record in records} == {None}
    assert {record['miou'] for record in records} == {None}
    assert all('true_map' not in prediction for prediction in predictions)
    assert len(list((folder / 'predictions').glob('*.png'))) == 5
    assert not (folder / 'annotations').exists()
    assert meta['task'] == 'segmentation'


def test_pixel_accuracy_is_the_metrics_that_ignores_another_index(shapes_root, tmp_path):
    cfg = segmentor_config(shapes_root, tmp_path)
    cfg.test_evaluator.ignore_index = 0
    cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = cfg.param_scheduler = None
    Runner.from_cfg(cfg).test()
    (folder,) = Path(tmp_path).glob('*/iterations/test_epoch_0')
    records, predictions, meta = read_log(folder)
    pixels = [(read_maps(folder, prediction)[1] != 255).sum() for prediction in predictions]
    shares = [record['pixel_accuracy'] for record in records]
    assert 100 * np.average(shares, weights=pixels) == pytest.approx(meta['score']['aAcc'], abs=0.01)


def test_an_interrupted_evaluation_leaves_a_part(whole, monkeypatch):
    runner, _ = whole
    left = interrupted(runner, runner.test, runner.test_evaluator, monkeypatch)
    assert left.name == 'test_epoch_0.part'
    files = [p for p in left.rglob('*') if p.is_file()]
    assert len(files) == 2 + 2 * 4  # two files of lines, two maps of each of four images


IMAGE, LOAD = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')
RESIZE = dict(type='Resize', scale=(150, 100), keep_ratio=False)
FLIP, PACK = dict(type='RandomFlip', prob=1.0), dict(type='PackSegInputs')
PAD = dict(type='Pad', size=(160, 160))
HALF = dict(FLIP, prob=0.5, direction='vertical')


@pytest.mark.parametrize(
    'pipeline',
    [
        pytest.param([IMAGE, LOAD, RESIZE, FLIP, PACK], id='flipped'),
        pytest.param([IMAGE, RESIZE, FLIP, LOAD, PACK], id='loaded behind the flip'),
        pytest.param([IMAGE, LOAD, FLIP, dict(PACK, meta_keys=('ori_shape',))], id='untold'),
        pytest.param([IMAGE, LOAD, HALF, PACK], id='flipped at random'),
        pytest.param([IMAGE, LOAD, RESIZE, PAD, PACK], id='padded'),
        pytest.param(
            [IMAGE, LOAD, dict(type='TestTimeAug', transforms=[[FLIP, dict(FLIP, prob=0.0)], [PACK]])],
            id='augmented',
        ),
    ],
)
def test_true_maps_are_as_annotated(whole, shapes_root, tmp_path, pipeline):
    cfg = segmentor_config(shapes_root, tmp_path)
    dataset = DATASETS.build({**cfg.test_dataloader['dataset'], 'pipeline': pipeline})
    _, folder = whole
    _, predictions, _ = read_log(folder)
    for i, item in enumerate(dataset):
        data = item['data_samples']
        data = data[0] if isinstance(data, list) else data
        predicted, true = read_maps(folder, predictions[i])
        data.pred_sem_seg = PixelData(data=torch.tensor(predicted)[None])
        assert (maps_of(data, Source.of(dataset, data.metainfo, i))['true_map'] == true).all()
