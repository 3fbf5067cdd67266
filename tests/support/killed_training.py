"""A small training without randomness, to be killed at a chosen moment and resumed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from unittest.mock import patch

import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.fileio.backends import LocalBackend
from mmengine.hooks import Hook
from mmengine.runner import Runner, find_latest_checkpoint
from mmengine.structures import BaseDataElement

from iterbackbone.mm import IterationLogHook, PonderCostHook
from tests.support.processes import PROCESSES
from tests.support.tiny_training import TinyClassifier, TinyImages

EPOCHS, STEPS, IMAGES = 4, 4, 6  # training steps an epoch, validated images


class Predicting(TinyClassifier):
    """Its predictions are data samples."""

    def forward(self, inputs, labels=None, mode='tensor'):
        output = super().forward(inputs, labels, mode)
        if mode != 'predict':
            return output
        info = dict(ori_shape=(8, 8))
        return [BaseDataElement(metainfo=dict(info, logits=str(x.tolist()))) for x in output[0]]


class Count(BaseMetric):
    """How many images there were."""

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        return {'count': len(results)}


class Killer(Hook):
    """Kills its process at a moment: ``('training', step)`` or ``('validation', batch)``, from 0."""

    priority = 'LOWEST'

    def __init__(self, kind, number):
        self.kind, self.left = kind, number

    def _tick(self, kind):
        if kind == self.kind:
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1

    def before_train(self, runner):
        runner.model.head.register_forward_hook(
            lambda head, *_: self._tick('training' if head.training else 'validation')
        )


def half_written(number):
    """A file backend that dies in the middle of checkpoint ``number``, from 0."""
    seen, put = [], LocalBackend.put

    def dying(self, content, path):
        seen.append(path)
        if len(seen) > number:
            Path(path).write_bytes(content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        put(self, content, path)

    return patch.object(LocalBackend, 'put', dying)


def loader(length, batch_size, shuffle):
    return dict(
        batch_size=batch_size,
        num_workers=0,
        dataset=TinyImages(length),
        sampler=dict(type='DefaultSampler', shuffle=shuffle),
        collate_fn=dict(type='default_collate'),
    )


def train(work_dir, kind=None, number=0):
    """Train, or resume, until the end or the moment to die."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    hooks = [PonderCostHook(halting_warmup=0.2, ramp=0.3), IterationLogHook(), Killer(kind, number)]
    runner = Runner(
        model=Predicting(),
        work_dir=str(work_dir),
        train_dataloader=loader(4 * STEPS, 4, shuffle=True),
        val_dataloader=loader(IMAGES, 2, shuffle=False),
        train_cfg=dict(by_epoch=True, max_epochs=EPOCHS, val_interval=1),
        val_cfg=dict(),
        val_evaluator=Evaluator([Count()]),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9)),
        custom_hooks=hooks,
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        randomness=dict(seed=0, deterministic=True),
        resume=bool(find_latest_checkpoint(str(work_dir))),  # empty where a kill hit its writing
        default_scope='mmengine',
        experiment_name=f'{Path(work_dir).name}_{os.getpid()}',
        log_level='ERROR',
        cfg=dict(),
    )
    if kind != 'checkpoint':
        runner.train()
        return
    with half_written(number):
        runner.train()


def start(*args):
    """A process that runs :func:`train`."""
    process = PROCESSES.Process(target=train, args=args)
    process.start()
    return process
