"""A small Runner of mmpretrain's with both hooks."""

from __future__ import annotations

from mmengine.evaluator import BaseMetric
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from tests.support.tiny_training import LabelledImages, labelled_loader

BACKBONE = dict(
    type='iterbackbone.IterativeResNet',
    stem='cifar',
    base_channels=4,
    expansion=1,
    num_stages=2,
    max_iterations=(2, 3),
)


class Nothing(BaseMetric):
    """A metric that counts samples."""

    def process(self, data_batch, data_samples):
        self.results.append(len(data_samples))

    def compute_metrics(self, results):
        return dict(images=sum(results))


def classifier_run(tmp_path, *hooks, checkpoints=-1, val_dataloader=None):
    """A Runner of four steps, two validations and the two hooks behind ``hooks``.

    ``checkpoints`` is the number of steps between two.
    """
    init_default_scope('mmpretrain')
    return Runner(
        model=dict(
            type='ImageClassifier',
            backbone=dict(**BACKBONE, out_indices=(1,)),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=2, in_channels=8),
            data_preprocessor=dict(num_classes=2),
        ),
        work_dir=str(tmp_path),
        train_dataloader=labelled_loader(LabelledImages(8), 4),
        val_dataloader=val_dataloader or labelled_loader(LabelledImages(5), 2),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=4, val_interval=2),
        val_cfg=dict(),
        val_evaluator=dict(type='SingleLabelMetric', num_classes=2, average=None),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        custom_hooks=[
            *hooks,
            dict(type='iterbackbone.PonderCostHook'),
            dict(type='iterbackbone.IterationLogHook'),
        ],
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=checkpoints)
        ),
        default_scope='mmpretrain',
        experiment_name=tmp_path.name,
        log_level='WARNING',
    )
