"""mmseg's data samples as lines and PNG files, by hand and inside a real Runner."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.registry import DATASETS
from mmseg.structures import SegDataSample
from torch import nn

from iterbackbone.mm.evaluation.no_objects import background_labels, ignore_index
from iterbackbone.mm.evaluation.segmentation import is_segmentation, label_map_fields, label_maps
from iterbackbone.mm.evaluation.sources import Source, Sources
from iterbackbone.mm.evaluation.true_label_map import true_label_map
from tests.support.openmmlab import read_log, segmentor_config
from tests.support.segmentation_runs import evaluate, read_maps, val_ids

CLASSES = ('background', 'cat', 'dog')
NOWHERE = Source(None, [[]])


def sample(predicted, true=None):
    data = SegDataSample(metainfo=dict(img_path='images/a.jpg'))
    data.pred_sem_seg = PixelData(data=torch.tensor(predicted)[None])
    if true is not None:
        data.gt_sem_seg = PixelData(data=torch.tensor(true)[None])
    return data


def maps_of(data, source=NOWHERE):
    true = true_label_map(data, source, tuple(data.pred_sem_seg.shape), print)
    return label_maps(data, true)


def test_fields():
    true = np.zeros((10, 10), int)
    true[:5] = 2  # 50 pixels of dog above 50 of background
    true[:, 9] = 255
    predicted = np.zeros((10, 10), int)
    predicted[:4] = 2
    fields = label_map_fields(maps_of(sample(predicted, true)), CLASSES, {0})
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


def test_background_is_an_object_where_nothing_says_that_it_is_none():
    true = np.zeros((10, 10), int)
    fields = label_map_fields(maps_of(sample(true, true)), ('wall', 'floor'))
    assert (fields['num_objects'], fields['mean_object_area']) == (1, 100.0)


NAMES = [
    'Background',
    'BACKGROUND',
    'back_ground',
    '_background_',
    '__background__',
    'bg',
    'BG',
    'void',
]
NAMES += ['Unlabeled', 'unlabelled', 'un-labeled', 'background clutter', 'clutter/background']
NAMES += ['ignored regions', 'Ignore Region', 'DontCare']


@pytest.mark.parametrize('name', NAMES)
def test_names_of_what_is_no_object(name):
    assert background_labels(('cat', name, 'dog'), {}, nn.Identity()) == {1}


@pytest.mark.parametrize('name', ['backpack', 'avoid', 'ground', 'cat', 'label', 'bgr', 'devoid'])
def test_names_of_objects(name):
    assert background_labels((name,), {}, nn.Identity()) == set()


@pytest.mark.parametrize(
    'metainfo',
    [
        dict(background_index=2),
        dict(bg_idx=np.int64(2)),
        dict(background='sky'),
        dict(void_labels=[2, 9]),
        dict(void_labels=np.array([2, 9])),
    ],
)
def test_the_data_sets_metainfo_says_what_is_no_object(metainfo):
    assert background_labels(('cat', 'dog', 'sky'), metainfo, nn.Identity()) == {2}


class DecodeHead(nn.Module):
    def __init__(self, **says):
        super().__init__()
        self.__dict__.update(says)


def with_head(**says):
    model = nn.Module()
    model.decode_head = nn.ModuleList([DecodeHead(**says)])
    return model


def test_the_heads_index_is_no_object():
    for says in (dict(ignore_index=1), dict(bg_index=1), dict(background_label=1)):
        assert background_labels(('cat', 'dog'), {}, with_head(**says)) == {1}
    assert background_labels(('cat', 'dog'), {}, with_head(ignore_index=255, bg_index=2)) == set()


def test_the_metrics_index_is_ignored_else_the_heads():
    class Evaluator:
        metrics = [object(), IoUMetric(ignore_index=3)]

    assert ignore_index(Evaluator, with_head(ignore_index=0)) == 3
    assert ignore_index(None, with_head(ignore_index=0)) == 0
    assert ignore_index(None, nn.Identity()) == 255


def test_ignored_pixels_are_those_of_mmsegs_metric():
    true, predicted = torch.randint(0, 3, (2, 20, 20))
    areas = IoUMetric.intersect_and_union(predicted, true, 3, 0)
    data = sample(predicted.tolist(), true.tolist())
    maps = label_maps(data, maps_of(data)['true_map'], ignore_index=0)
    assert (maps['true_map'] == np.where(true == 0, 255, true)).all()
    fields = label_map_fields(maps, CLASSES)
    assert fields['pixel_accuracy'] == pytest.approx(float(areas[0].sum() / areas[3].sum()))


def test_without_annotations():
    maps = maps_of(sample([[0, 1], [2, 2]]))
    assert list(maps) == ['predicted_map']
    fields = label_map_fields(maps, CLASSES)
    assert set(fields.values()) == {None}
    assert fields.keys() == label_map_fields(maps_of(sample([[0]], [[0]])), CLASSES).keys()


def test_all_ignored():
    fields = label_map_fields(maps_of(sample([[0, 1]], [[255, 255]])), CLASSES)
    assert fields['num_objects'] == fields['num_classes'] == 0
    assert fields['class_names'] == []
    for name in ('mean_object_area', 'boundary_fraction', 'miou', 'pixel_accuracy'):
        assert fields[name] is None


def test_annotations_that_were_resized_are_brought_back():
    true = np.kron([[0, 1, 2], [2, 255, 1]], np.ones((5, 4), int))
    small = [[0, 1, 2], [2, 255, 1]]
    maps = maps_of(sample(true, small))
    assert (maps['true_map'] == true).all()
    assert (maps_of(sample(small, true))['true_map'] == small).all()


def test_labels_beyond_eight_bits_and_beyond_the_names():
    maps = maps_of(sample([[0, 700]], [[1, 700]]))
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
    for i, item in enumerate(DATASETS.build(dataset)):
        assert item['data_samples'].gt_sem_seg.shape == (128, 192)
        with torch.no_grad():
            (result,) = runner.model.test_step(runner.test_dataloader.collate_fn([item]))
        maps = maps_of(result)
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
        assert (maps_of(data, Sources(dataset).of(data, i))['true_map'] == true).all()


def test_a_flipped_map_that_cannot_be_read_again_is_left_out():
    data, said = sample([[0, 1]], [[1, 0]]), []
    data.set_metainfo(dict(flip=True, flip_direction='horizontal'))
    assert true_label_map(data, NOWHERE, (1, 2), said.append) is None
    assert len(said) == 1
