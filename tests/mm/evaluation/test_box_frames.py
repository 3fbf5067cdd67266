"""The log's boxes beside the annotation files, whatever mmdet's pipelines do to them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmdet.models.test_time_augs import DetTTAModel
from mmdet.registry import DATASETS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import nn
from torch.utils.data import Subset

from iterbackbone.mm.evaluation.detection import mirrored
from iterbackbone.mm.evaluation.sample_record import SampleReader
from tests.support.openmmlab import detector_config

IMAGE, LOAD = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)
RESIZE = dict(type='Resize', scale=(192, 128), keep_ratio=True)
LARGER = dict(type='Resize', scale=(288, 200), keep_ratio=False)
FLIP = dict(type='RandomFlip', prob=1.0)
PACK = dict(type='PackDetInputs')
SHORT = dict(PACK, meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))
CHOICE = dict(type='RandomChoice', transforms=[[RESIZE], [LARGER]])
CROP = dict(type='RandomCrop', crop_size=(50, 60), allow_negative_crop=True)
PAD = dict(type='Pad', size=(256, 256))
SIZE = (96, 64)


def flip(direction):
    return dict(FLIP, direction=direction)


@pytest.fixture
def build(shapes_root, tmp_path):
    """Builds the validation set with a pipeline, or several, one after the other."""
    init_default_scope('mmdet')
    config = detector_config(shapes_root, tmp_path).val_dataloader['dataset']

    def built(*pipelines):
        parts = [dict(copy.deepcopy(config), pipeline=list(steps)) for steps in pipelines]
        return DATASETS.build(
            parts[0] if len(parts) == 1 else dict(type='ConcatDataset', datasets=parts)
        )

    return built


def annotated(dataset, index):
    """Boxes of an image as its file has them, "difficult" ones left out."""
    items = dataset.get_data_info(index)['instances']
    return [item['bbox'] for item in items if not item['ignore_flag']]


def predict(data, seen):
    """Let a detector that finds ``seen`` in the original image do so: mmdet turns back Resize only."""
    boxes = np.array(seen, dtype=np.float64).reshape(-1, 4)
    if data.get('flip'):
        boxes = mirrored(boxes, data.flip_direction, SIZE)
    found = InstanceData(bboxes=torch.tensor(boxes).float(), scores=torch.ones(len(boxes)))
    found.labels = torch.zeros(len(boxes)).long()
    data.pred_instances = found


def check(dataset):
    """Each image's line has the file's boxes, and predicted ones where a detector sees them."""
    reader = SampleReader(dataset, nn.Identity())
    for index in range(len(dataset)):
        true, data = annotated(dataset, index), dataset[index]['data_samples']
        predict(data, true)
        found = reader(data, index)
        area = np.mean([(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in true])
        assert found.record['mean_object_area'] == pytest.approx(area, rel=1e-3)
        assert found.record['mean_relative_area'] == pytest.approx(area / (96 * 64), rel=1e-3)
        assert np.allclose(found.prediction['true']['boxes'], true, atol=0.02)
        assert np.allclose(found.prediction['predicted']['boxes'], true, atol=0.02)


@pytest.mark.parametrize(
    'pipeline',
    [
        pytest.param((IMAGE, RESIZE, LOAD, SHORT), id='loaded behind Resize'),
        pytest.param((IMAGE, LOAD, RESIZE, SHORT), id='loaded before Resize'),
        pytest.param((IMAGE, LOAD, CHOICE, SHORT), id='Resize inside RandomChoice'),
        pytest.param((IMAGE, CHOICE, LOAD, SHORT), id='loaded behind RandomChoice'),
        pytest.param((IMAGE, LOAD, RESIZE, FLIP, PACK), id='flipped'),
        pytest.param((IMAGE, RESIZE, FLIP, LOAD, PACK), id='loaded behind the flip'),
        pytest.param((IMAGE, RESIZE, LOAD, FLIP, PACK), id='loaded between'),
        pytest.param((IMAGE, LOAD, flip('vertical'), LARGER, PACK), id='flipped first, vertically'),
        pytest.param((IMAGE, LOAD, RESIZE, flip('diagonal'), PACK), id='flipped diagonally'),
        pytest.param(
            (
                IMAGE,
                LOAD,
                RESIZE,
                dict(FLIP, prob=[0.3, 0.3], direction=['horizontal', 'vertical']),
                PACK,
            ),
            id='flipped at random',
        ),
        pytest.param((IMAGE, LOAD, RESIZE, FLIP, PAD, PACK), id='padded'),
        pytest.param(
            (IMAGE, LOAD, dict(type='RandomApply', transforms=[RESIZE], prob=0.5), SHORT),
            id='Resize inside RandomApply',
        ),
    ],
)
def test_frames(build, pipeline):
    check(build(pipeline))


@pytest.mark.parametrize(
    'pipelines',
    [
        ((IMAGE, RESIZE, LOAD, SHORT), (IMAGE, LOAD, RESIZE, SHORT)),
        ((IMAGE, LOAD, RESIZE, SHORT), (IMAGE, RESIZE, LOAD, SHORT)),
        ((IMAGE, LOAD, LARGER, FLIP, PACK), (IMAGE, RESIZE, LOAD, SHORT)),
    ],
)
def test_parts_with_pipelines_of_their_own(build, pipelines):
    check(build(*pipelines))


def test_a_subset(build):
    whole = build((IMAGE, LOAD, RESIZE, FLIP, PACK))
    part = Subset(whole, [3, 1])
    reader = SampleReader(part, nn.Identity())
    for index, place in enumerate((3, 1)):
        found = reader(_seen(part, index), index)
        assert np.allclose(found.prediction['true']['boxes'], annotated(whole, place), atol=0.02)


def _seen(dataset, index):
    data = dataset[index]['data_samples']
    predict(data, [])
    return data


@pytest.mark.parametrize('always', [True, False])
def test_a_flip_that_the_sample_does_not_tell_leaves_sizes_and_boxes_out(build, always):
    dataset = build((IMAGE, LOAD, RESIZE, FLIP if always else dict(FLIP, prob=0.5), SHORT))
    data = _seen(dataset, 0)
    found = SampleReader(dataset, nn.Identity())(data, 0)
    assert found.record['num_objects'] == len(data.gt_instances) > 0
    assert found.record['mean_object_area'] is None
    assert not {'true', 'predicted'} & found.prediction.keys()


@pytest.mark.parametrize('change', [dict(type='Expand', prob=1.0), dict(type='RandomAffine')])
def test_without_true_boxes_predicted_ones_are_left_out_where_the_image_was_moved(build, change):
    dataset = build((IMAGE, LOAD, RESIZE, change, PACK))
    reader = SampleReader(dataset, nn.Identity())
    data = _seen(dataset, 0)
    data.gt_instances = data.gt_instances[:0]
    found = reader(data, 0)
    assert found.record['num_objects'] == 0
    assert not found.prediction or 'predicted' not in found.prediction


@pytest.mark.parametrize('changes', [[CROP], [CROP, PAD], [dict(type='RandomAffine')]])
def test_other_changes_leave_sizes_and_boxes_out(build, monkeypatch, changes):
    said = []
    monkeypatch.setattr(
        'iterbackbone.mm.evaluation.sample_record.print_log', lambda text, *_: said.append(text)
    )
    dataset = build((IMAGE, LOAD, RESIZE, *changes, PACK))
    reader = SampleReader(dataset, nn.Identity())
    for index in range(len(dataset)):
        data = _seen(dataset, index)
        found = reader(data, index)
        assert found.record['num_objects'] == len(data.gt_instances)
        assert found.record['mean_object_area'] is None
        assert not {'true', 'predicted'} & found.prediction.keys()
    assert len(said) == 1


class Seeing(nn.Module):
    """A detector that finds one box of the original image in any view of it."""

    def test_step(self, data):
        for sample in data['data_samples']:
            predict(sample, [[10, 20, 30, 40]])
        return data['data_samples']


def test_without_boxes_to_compare_predicted_ones_are_left_out_behind_a_crop(build):
    """Padded, the image is as large as it was."""
    dataset = build((IMAGE, CROP, PAD, PACK))
    found = SampleReader(dataset, nn.Identity())(_seen(dataset, 0), 0)
    assert 'predicted' not in found.prediction


def test_a_foreign_data_set_that_does_not_tell_of_flips():
    data = DetDataSample(metainfo=dict(ori_shape=(64, 96), img_shape=(64, 96)))
    predict(data, [[10, 20, 30, 40]])
    assert 'predicted' not in SampleReader([data], nn.Identity())(data, 0).prediction
    data.set_metainfo(dict(flip=False))
    found = SampleReader([data], nn.Identity())(data, 0).prediction
    assert found['predicted']['boxes'] == [[10, 20, 30, 40]]


def test_where_a_filter_leaves_no_box_all_objects_count(build):
    keep_none = dict(type='FilterAnnotations', min_gt_bbox_wh=(1000, 1000), keep_empty=False)
    check(build((IMAGE, LOAD, RESIZE, FLIP, keep_none, PACK)))


class Mirror(BaseTransform):
    """Moves the image and says nothing."""

    def transform(self, results):
        return {**results, 'img': results['img'][:, ::-1].copy()}


def test_a_filter_behind_an_unknown_transform_leaves_boxes_out(build):
    keep_none = dict(type='FilterAnnotations', min_gt_bbox_wh=(1000, 1000), keep_empty=False)
    dataset = build((IMAGE, LOAD, dict(type=Mirror), keep_none, PACK))
    found = SampleReader(dataset, nn.Identity())(_seen(dataset, 0), 0)
    assert 'predicted' not in found.prediction


@pytest.mark.parametrize('load', ['before', 'behind'])
def test_test_time_augmentation(build, load):
    """mmdet merges predictions in the original frame; the first of its default views is flipped."""
    last = [[PACK]] if load == 'before' else [[LOAD], [PACK]]
    views = [[RESIZE, LARGER], [FLIP, dict(FLIP, prob=0.0)], *last]
    augment = dict(type='TestTimeAug', transforms=views)
    dataset = build((IMAGE, *([LOAD] if load == 'before' else []), augment))
    settings = ConfigDict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=10)
    model = DetTTAModel(tta_cfg=settings, module=Seeing())
    reader = SampleReader(dataset, model)
    for index in range(len(dataset)):
        views = dataset[index]
        (merged,) = model.test_step({key: [[view] for view in value] for key, value in views.items()})
        assert isinstance(merged, DetDataSample)
        found = reader(merged, index).prediction
        assert np.allclose(found['true']['boxes'], annotated(dataset, index), atol=0.02)
        assert np.allclose(found['predicted']['boxes'], [[10, 20, 30, 40]], atol=0.02)
    cropped = build((IMAGE, LOAD, dict(augment, transforms=[[CROP], [PACK]])))
    found = SampleReader(cropped, model)(merged, index).prediction
    assert not {'true', 'predicted'} & found.keys()
