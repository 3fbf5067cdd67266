"""The hooks under mmpretrain and mmseg."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.structures import MultiTaskDataSample

from tests.support.classifier_runs import BACKBONE, Nothing, classifier_run
from tests.support.compute import built, segmentor_config
from tests.support.networks import stop_at_once
from tests.support.openmmlab import read_log
from tests.support.tiny_training import LabelledImages, TinyClassifier, labelled_loader


def test_classifier_over_train_iters(tmp_path):
    """Two validations of an iteration-based run: two folders, and metrics that are lists."""
    classifier_run(tmp_path).train()
    folders = sorted(tmp_path.glob('*/iterations/*'))
    assert [folder.name for folder in folders] == ['val_iter_2', 'val_iter_4']
    for folder, steps in zip(folders, (2, 4), strict=True):
        records, _, meta = read_log(folder)
        assert [record['img_id'] for record in records] == [0, 1, 2, 3, 4]
        assert {record['num_objects'] for record in records} == {None}
        assert meta['iter'] == steps
        assert len(meta['score']['single-label/precision_classwise']) == 2
        assert all(record['macs'] <= record['macs_full'] for record in records)


class StopAtOnceAtStepTwo(Hook):
    """From the second training step on every image halts at its first iteration."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 1:
            stop_at_once(runner.model.backbone)


@pytest.mark.parametrize(('averaging', 'iterations'), [(True, [2, 3]), (False, [1, 1])])
def test_averaged_weights_log_their_own_iterations(tmp_path, averaging, iterations):
    """EMAHook at so small a momentum that the average stays what it was after the first step."""
    hooks = [StopAtOnceAtStepTwo()] + [dict(type='EMAHook', momentum=1e-6)] * averaging
    runner = classifier_run(tmp_path, *hooks)
    runner.train()
    folders = sorted(tmp_path.glob('*/iterations/*'))
    assert len(folders) == 2
    for folder in folders:
        records, _, _ = read_log(folder)
        assert [record['iterations'] for record in records] == [iterations] * 5
    images = torch.stack([LabelledImages(5)[i]['inputs'] for i in range(5)])
    runner.model.backbone.eval()(images)  # the trained weights are back
    assert (runner.model.backbone.iterations() == 1).all()


class Queries(LabelledImages):
    """Each with two right answers."""

    def __getitem__(self, i):
        item = super().__getitem__(i)
        item['data_samples'].set_gt_label([0, 1]).set_field(i, 'sample_idx', field_type='metainfo')
        return item


def evaluated(model, dataset, tmp_path):
    """Records and warnings of a test in batches of two."""
    init_default_scope('mmpretrain')
    runner = Runner(
        model=model,
        work_dir=str(tmp_path),
        test_dataloader=labelled_loader(dataset, 2),
        test_cfg=dict(),
        test_evaluator=Evaluator([Nothing()]),
        custom_hooks=[dict(type='iterbackbone.IterationLogHook')],
        default_scope='mmpretrain',
        experiment_name=tmp_path.name,
        log_level='WARNING',
    )
    runner.test()
    (folder,) = tmp_path.glob('*/iterations/*')
    warnings = Path(runner.log_dir, f'{runner.timestamp}.log').read_text()
    return read_log(folder)[0], warnings.count('predicts nothing that the iteration log knows')


def check_compute_only(records, warnings):
    assert warnings == 1
    assert len({record['macs'] for record in records}) == 1
    assert [record['num_calls'] for record in records] == [1] * 5
    for record in records:
        unknown = ('num_objects', 'class_names', 'label', 'prediction', 'correct', 'confidence')
        assert {record.get(name) for name in unknown} == {None}


def test_a_retriever(tmp_path):
    """Its prototypes are encoded before the first batch, and queries may have several answers."""
    model = dict(
        type='ImageToImageRetriever',
        image_encoder=[dict(**BACKBONE, out_indices=(1,)), dict(type='GlobalAveragePooling')],
        prototype=labelled_loader(Queries(2), 2),
    )
    check_compute_only(*evaluated(model, Queries(5), tmp_path))


def test_a_regression_head(tmp_path):
    model = dict(
        type='ImageClassifier',
        backbone=dict(**BACKBONE, out_indices=(1,)),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearRegressionHead', num_classes=2, in_channels=8),
    )
    check_compute_only(*evaluated(model, LabelledImages(5), tmp_path))


def test_several_tasks_of_one_head(tmp_path):
    class TwoTasks(LabelledImages):
        def __getitem__(self, i):
            item = super().__getitem__(i)
            both = MultiTaskDataSample()
            for task in ('sign', 'parity'):
                both.set_field(item['data_samples'].clone(), task)
            return dict(inputs=item['inputs'], data_samples=both)

    head = dict(type='LinearClsHead', num_classes=2)
    model = dict(
        type='ImageClassifier',
        backbone=dict(**BACKBONE, out_indices=(1,)),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='MultiTaskHead', in_channels=8, task_heads=dict(sign=head, parity=head)),
    )
    records, warnings = evaluated(model, TwoTasks(5), tmp_path)
    check_compute_only(records, warnings)
    assert [record['img_id'] for record in records] == [0, 1, 2, 3, 4]


class Pairs(LabelledImages):
    """Two pictures each, of which one is looked at, as in mmpretrain's NLVR2."""

    def get_data_info(self, i):
        return dict(img_path=[f'{i}.jpg', f'{i + 1}.jpg'])

    def __getitem__(self, i):
        data = super().__getitem__(i)
        data['data_samples'].set_metainfo(self.get_data_info(i))
        return data


def test_pairs_of_images(tmp_path):
    runner = classifier_run(tmp_path, val_dataloader=labelled_loader(Pairs(5), 2))
    runner.val()
    records, _, _ = read_log(Path(runner.log_dir, 'iterations/val_epoch_0'))
    assert [record['img_id'] for record in records] == [0, 1, 2, 3, 4]
    assert {record['img_path'] for record in records} == {None}


def test_a_model_that_returns_no_data_samples(tmp_path):
    class Plain(TinyClassifier):
        def forward(self, inputs, data_samples=None, mode='tensor'):
            return [super().forward(torch.stack(inputs))]

    records, warnings = evaluated(Plain(), LabelledImages(5), tmp_path)
    check_compute_only(records, warnings)
    assert [record['img_id'] for record in records] == [0, 1, 2, 3, 4]


@pytest.fixture
def segmentor():
    return built(segmentor_config(dict(mode='slide', crop_size=(16, 16), stride=(16, 16))))


def test_sliding_windows_sum_macs_and_mean_iterations(segmentor):
    from mmseg.structures import SegDataSample

    from iterbackbone.core.macs import mac_table
    from iterbackbone.mm import report_iterations

    sample = SegDataSample(metainfo=dict(ori_shape=(16, 32), img_shape=(16, 32)))
    with torch.no_grad():
        model = report_iterations(segmentor)
        (result,) = model(torch.randn(1, 3, 16, 32), [sample], mode='predict')
    assert result.iterations == [2.0, 3.0]
    assert result.macs == 2 * mac_table(segmentor.backbone, (16, 16)).highest
