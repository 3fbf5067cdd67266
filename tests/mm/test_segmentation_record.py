"""mmseg's data samples as lines and PNG files, by hand and inside a real Runner."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.registry import DATASETS
from mmseg.structures import SegDataSample
from segmentation_runs import evaluate, read_maps, val_ids
from support import read_log, segmentor_config

from iterbackbone.mm.segmentation_record import is_segmentation, label_map_fields, label_maps

CLASSES = ('background', 'cat', 'dog')


def sample(predicted, true=None):
    data = SegDataSample(metainfo=dict(img_path='images/a.jpg'))
    data.pred_sem_seg = PixelData(data=torch.tensor(predicted)[None])
    if true is not None:
        data.gt_sem_seg = PixelData(data=torch.tensor(true)[None])
    return data


def test_fields():
    true = np.zeros((10, 10), int)
    true[:5] = 2  # 50 pixels of dog above 50 of background
    true[:, 9] = 255
    predicted = np.zeros((10, 10), int)
    predicted[:4] = 2
    fields = label_map_fields(label_maps(sample(predicted, true)), CLASSES)
    # Labelled: 9 columns. Dog: 36 of 45 right, background: 45 of 54. Boundary: 2 rows of 10.
    assert fields == {
        'num_objects': 1,
        'num_difficult': None,
        'mean_object_area': 45.0,
        'mean_relative_area': 0.45,
        'num_classes': 2,
        'boundary_fraction': 0.2,
        'class_names': ['background', 'dog'],
        'miou': pytest.approx((36 / 45 + 45 / 54) / 2),
        'pixel_accuracy': pytest.approx(0.9),
    }


def test_background_is_an_object_where_no_class_has_that_name():
    true = np.zeros((10, 10), int)
    fields = label_map_fields(label_maps(sample(true, true)), ('wall', 'floor'))
    assert (fields['num_objects'], fields['mean_object_area']) == (1, 100.0)


def test_without_annotations():
    maps = label_maps(sample([[0, 1], [2, 2]]))
    assert list(maps) == ['predicted_map']
    fields = label_map_fields(maps, CLASSES)
    assert set(fields.values()) == {None}
    assert fields.keys() == label_map_fields(label_maps(sample([[0]], [[0]])), CLASSES).keys()


def test_all_ignored():
    fields = label_map_fields(label_maps(sample([[0, 1]], [[255, 255]])), CLASSES)
    assert fields['num_objects'] == fields['num_classes'] == 0
    assert fields['class_names'] == []
    for name in ('mean_object_area', 'boundary_fraction', 'miou', 'pixel_accuracy'):
        assert fields[name] is None


def test_annotations_that_were_resized_are_brought_back():
    true = np.kron([[0, 1, 2], [2, 255, 1]], np.ones((5, 4), int))
    small = [[0, 1, 2], [2, 255, 1]]
    maps = label_maps(sample(true, small))
    assert (maps['true_map'] == true).all()
    assert (label_maps(sample(small, true))['true_map'] == small).all()


def test_labels_beyond_eight_bits_and_beyond_the_names():
    maps = label_maps(sample([[0, 700]], [[1, 700]]))
    assert maps['predicted_map'].tolist() == [[0, 700]]
    assert label_map_fields(maps, CLASSES)['class_names'] == ['cat', '700']


def test_only_samples_with_label_maps_are_segmentations():
    assert is_segmentation(sample([[0]]))
    assert not is_segmentation(SegDataSample())


@pytest.fixture(scope='module')
def whole(shapes_root, tmp_path_factory):
    return evaluate(shapes_root, tmp_path_factory.mktemp('whole'))


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
        fields = label_map_fields(maps, tuple(meta['classes']))
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
    for i, item in enumerate(DATASETS.build(dataset)):
        assert item['data_samples'].gt_sem_seg.shape == (128, 192)
        with torch.no_grad():
            (result,) = runner.model.test_step(runner.test_dataloader.collate_fn([item]))
        maps = label_maps(result)
        assert (maps['true_map'] == read_maps(folder, predictions[i])[1]).all()
        fields = label_map_fields(maps, CLASSES)
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


def test_an_interrupted_evaluation_leaves_a_part(whole, monkeypatch):
    runner, _ = whole
    done = []

    def fail_at_the_third(*args, **kwargs):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)

    monkeypatch.setattr(runner.test_evaluator, 'process', fail_at_the_third)
    monkeypatch.setattr(runner, '_log_dir', str(Path(runner.work_dir, 'interrupted')))
    with pytest.raises(KeyboardInterrupt):
        runner.test()
    (left,) = Path(runner.log_dir, 'iterations').iterdir()
    assert left.name == 'test_epoch_0.part'
    files = [p for p in left.rglob('*') if p.is_file()]
    assert len(files) == 2 + 2 * 4  # two files of lines, two maps of each of four images
