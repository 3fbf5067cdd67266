"""mmpretrain's data samples as lines and pictures, by hand and from every source of CIFAR."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torchvision
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.datasets import CIFAR10, CIFAR100
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample, MultiTaskDataSample
from torch import nn

from iterbackbone.mm.evaluation.classification import class_fields, is_classification
from iterbackbone.mm.evaluation.sample_record import SampleReader
from tests.support.classification_runs import (
    accept,
    classifier_config,
    write_archive,
    write_class_folders,
)
from tests.support.networks import varied
from tests.support.openmmlab import read_log

CLASSES = ('cat', 'dog', 'ship')
SCORES = (0.25, 0.5, 0.25)


class Labelled:
    """A data set's names."""

    metainfo = dict(classes=CLASSES)


def sample(label=None, scores=SCORES, **metainfo):
    data = DataSample(metainfo=metainfo).set_pred_score(torch.tensor(scores)).set_pred_label(0)
    return data if label is None else data.set_gt_label(label)


@pytest.mark.parametrize(
    ('label', 'expected'),
    [
        pytest.param(1, (1, True, ['dog']), id='right'),
        pytest.param(2, (2, False, ['ship']), id='wrong'),
        pytest.param(7, (7, False, ['7']), id='a label without a name'),
        pytest.param(None, (None, None, None), id='unlabelled'),
        pytest.param(-1, (None, None, None), id='unlabelled, as mmpretrain says it'),
    ],
)
def test_fields(label, expected):
    # The sample's pred_label, 0, is left of one of several augmentations: the scores decide.
    fields = class_fields(sample(label), CLASSES)
    keys = ('label', 'correct', 'class_names')
    assert tuple(fields.pop(key) for key in keys) == expected
    assert fields == {'prediction': 1, 'confidence': 0.5}


def test_a_record_has_no_objects():
    found = SampleReader(Labelled, nn.Identity())(sample(1, img_path='images/cat/01.png'))
    assert found.task == 'classification'
    assert found.record['img_id'] == 'cat/01'
    objects = ('num_objects', 'num_difficult', 'mean_object_area', 'mean_relative_area')
    assert [found.record[key] for key in objects] == [None] * 4
    assert found.prediction == {'img_id': 'cat/01', 'img_path': 'images/cat/01.png'}
    assert found.pngs == {}


def test_a_given_id_is_kept():
    found = SampleReader(Labelled, nn.Identity())(sample(1, img_path='cat/01.png', img_id=5))
    assert found.record['img_id'] == 5


def test_multi_label_heads_are_logged_without_classes():
    init_default_scope('mmpretrain')
    model = ImageClassifier(
        backbone=dict(type='VGG', depth=11, num_classes=2),
        head=dict(type='MultiLabelClsHead'),
    )
    assert not is_classification(sample(1), model)
    found = SampleReader(Labelled, model)(sample(1))
    assert found.task is None
    assert 'label' not in found.record


@pytest.mark.parametrize(
    'fields',
    [
        pytest.param(dict(pred_score=[1053.0, -3.0], pred_label=[1053.0, -3.0]), id='regression'),
        pytest.param(dict(pred_score=[0.25, 0.75], pred_label=[0.25, 0.75]), id='shares, regressed'),
        pytest.param(dict(pred_score=[1.0], pred_label=[1.0]), id='one number'),
        pytest.param(dict(pred_score=[0.9, 0.5, 0.2], pred_label=[0, 1]), id='retrieval'),
        pytest.param(dict(pred_score=[0.9, 0.5, 0.2]), id='scores that are no probabilities'),
    ],
)
def test_other_predictions_are_no_class(fields, monkeypatch):
    said = []
    monkeypatch.setattr(
        'iterbackbone.mm.evaluation.sample_record.print_log', lambda text, *_: said.append(text)
    )
    reader = SampleReader(Labelled, nn.Identity())
    for _ in range(2):
        data = DataSample(metainfo=dict(img_path='cat/01.png')).set_gt_label([0, 2])
        data.set_pred_score(torch.tensor(fields['pred_score']))
        if 'pred_label' in fields:
            data.set_field(torch.tensor(fields['pred_label']), 'pred_label')
        found = reader(data)
        assert found.task is None
        assert found.record['img_id'] == 'cat/01'
        assert not {'label', 'prediction', 'correct', 'confidence'} & found.record.keys()
    assert len(said) == 1
    assert said[0].startswith('Identity predicts nothing that the iteration log knows')


def test_several_tasks_share_an_image():
    data = MultiTaskDataSample()
    for task in ('colour', 'shape'):
        data.set_field(sample(1, img_path='cat/01.png', ori_shape=(20, 30)), task)
    found = SampleReader(Labelled, nn.Identity())(data)
    assert found.task is None
    names = ('img_id', 'img_path', 'height', 'width')
    assert [found.record[name] for name in names] == ['cat/01', 'cat/01.png', 20, 30]


def evaluated(root, tmp_path, source):
    """The folder of a test over ten images in batches of two, and the runner."""
    cfg = classifier_config(root, tmp_path, source=source)
    cfg.model.backbone.max_iterations = (2, 2, 4, 2)
    cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = cfg.param_scheduler = None
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    runner = Runner.from_cfg(cfg)
    torch.manual_seed(1)
    varied(runner.model.backbone, torch.randn(8, 3, 32, 32))
    metrics = runner.test()
    (folder,) = Path(tmp_path).glob('*/iterations/test_epoch_0')
    return folder, runner, metrics


def test_class_folders(tmp_path):
    write_class_folders(tmp_path)
    folder, runner, metrics = evaluated(tmp_path, tmp_path, 'png')
    records, predictions, meta = read_log(folder)
    assert meta['task'] == 'classification'
    assert [r['label'] for r in records] == list(range(10))
    assert [r['class_names'] for r in records] == [[name] for name in meta['classes']]
    assert [r['img_id'] for r in records] == [f'{name}/0000' for name in meta['classes']]
    assert {(r['height'], r['width']) for r in records} == {(32, 32)}
    assert 100 * np.mean([r['correct'] for r in records]) == pytest.approx(metrics['accuracy/top1'])
    assert all(p.keys() == {'img_id', 'img_path'} for p in predictions)
    # Confidence and prediction are the model's on that file alone.
    image = torch.from_numpy(cv2.imread(records[3]['img_path']).transpose(2, 0, 1).copy())
    with torch.no_grad():
        (alone,) = runner.model.test_step(dict(inputs=[image], data_samples=[DataSample()]))
    assert int(alone.pred_label) == records[3]['prediction']
    assert float(alone.pred_score.max()) == pytest.approx(records[3]['confidence'], abs=1e-5)
    assert len({r['total_iterations'] for r in records}) > 1


@pytest.mark.parametrize('source', ['archive', 'torchvision'])
def test_archives(tmp_path, monkeypatch, source):
    images, labels, sums = write_archive(tmp_path, 10)
    accept(monkeypatch, CIFAR10, sums)
    folder, runner, _ = evaluated(tmp_path, tmp_path, source)
    assert runner.test_dataloader.dataset.download == (source == 'archive')
    records, predictions, _ = read_log(folder)
    assert [r['img_id'] for r in records] == list(range(10))
    assert [r['label'] for r in records] == labels
    assert {(r['img_path'], r['height'], r['width']) for r in records} == {(None, 32, 32)}
    for prediction, image in zip(predictions, images, strict=True):
        written = cv2.imread(str(folder / prediction['picture']))
        assert (written[..., ::-1] == image).all()


@pytest.mark.parametrize(('num_classes', 'ours'), [(10, CIFAR10), (100, CIFAR100)])
def test_what_torchvision_downloads_is_what_mmpretrain_reads(tmp_path, monkeypatch, num_classes, ours):
    theirs = getattr(torchvision.datasets, ours.__name__)
    same = ('base_folder', 'url', 'tgz_md5', 'train_list', 'test_list', 'meta')
    assert all(getattr(ours, name) == getattr(theirs, name) for name in same)
    images, labels, sums = write_archive(tmp_path, num_classes)
    accept(monkeypatch, ours, sums)
    accept(monkeypatch, theirs, sums)
    root = tmp_path / f'cifar{num_classes}'
    a, b = ours(str(root), split='test', download=False), theirs(root, train=False, download=True)
    assert [a.get_data_info(i)['gt_label'] for i in range(len(a))] == b.targets == labels
    assert all((a.get_data_info(i)['img'] == b.data[i]).all() for i in range(10))
    assert (b.data == images).all()
    assert list(a.metainfo['classes']) == b.classes


def test_an_archive_that_is_not_the_official_one_is_refused(tmp_path):
    write_archive(tmp_path, 10)
    with pytest.raises(RuntimeError, match='Cannot find CIFAR10 dataset'):
        CIFAR10(str(tmp_path / 'cifar10'), split='test', download=False)
