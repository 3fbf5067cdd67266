"""Several evaluations of one process: each in its own folder, which names its own weights."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import mmengine.runner
import pytest
import torch
from torch import nn

from iterbackbone.mm import IterationLogHook
from iterbackbone.mm.evaluation import iteration_log_hook
from tests.support.classifier_runs import classifier_run
from tests.support.openmmlab import read_log

UNKNOWN = {'checkpoint': None, 'epoch': 0, 'iter': 0}


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A Runner that has trained four steps, with checkpoints of steps 2 and 4."""
    runner = classifier_run(tmp_path_factory.mktemp('trained'), checkpoints=2)
    runner.train()
    return runner


def logs(runner):
    """Meta of each folder."""
    return {path.name: read_log(path)[2] for path in Path(runner.log_dir, 'iterations').iterdir()}


def saved(runner, step):
    return str(Path(runner.work_dir, f'iter_{step}.pth'))


def weights_of(meta):
    return {key: meta[key] for key in UNKNOWN}


def test_a_loop_over_checkpoints_and_budgets(trained):
    before = logs(trained)
    trained.load_checkpoint(saved(trained, 2))
    for cap in (1, 2, None):
        trained.model.backbone.set_budget(max_iterations=cap)
        trained.val()
    trained.load_checkpoint(saved(trained, 4))
    trained.val()
    mmengine.runner.load_checkpoint(trained.model, saved(trained, 2))
    trained.val()
    after = logs(trained)
    assert {name: after[name] for name in before} == before
    assert sorted(after.keys() - before.keys()) == [
        'val_epoch_0',
        'val_iter_2_2',
        'val_iter_2_3',
        'val_iter_2_4',
        'val_iter_4_2',
    ]
    second = {'checkpoint': saved(trained, 2), 'epoch': 0, 'iter': 2}
    assert [weights_of(after[f'val_iter_2_{n}']) for n in (2, 3, 4)] == [second] * 3
    caps = [after[f'val_iter_2_{n}']['budget']['caps'] for n in (2, 3, 4)]
    assert caps == [[1, 1], [2, 2], None]
    assert weights_of(after['val_iter_4_2']) == {**second, 'checkpoint': saved(trained, 4), 'iter': 4}
    assert weights_of(after['val_epoch_0']) == UNKNOWN  # nothing told the hook
    for step in (2, 4):
        assert weights_of(after[f'val_iter_{step}']) == {**UNKNOWN, 'iter': step}


class Trainer(SimpleNamespace):
    """What the hook sees of a Runner."""

    def __init__(self):
        super().__init__(model=nn.Linear(2, 2), val_loop=None, epoch=0, iter=0)
        self.hook = IterationLogHook()

    def load_checkpoint(self, filename, **meta):
        self.hook.after_load_checkpoint(self, {'meta': meta})
        with torch.no_grad():
            self.model.weight.copy_(torch.rand(2, 2))

    def resume(self, filename, epoch, step):
        self.load_checkpoint(filename, epoch=epoch, iter=step)
        self.epoch, self.iter = epoch, step

    def train(self, epoch, step):
        self.hook.before_train(self)
        self.hook.before_train_iter(self, 0)
        with torch.no_grad():
            self.model.weight.add_(1)
        self.epoch, self.iter = epoch, step

    def evaluated(self):
        collector = patch.object(iteration_log_hook, 'TraceCollector')
        with collector, patch.object(iteration_log_hook, 'LoggedEvaluation') as logged:
            self.hook.before_val_epoch(self)
        *_, weights = logged.call_args.args
        return tuple(weights.values())


def test_resumed_then_evaluated_then_trained_on():
    trainer = Trainer()
    trainer.resume('a.pth', 2, 8)
    assert trainer.evaluated() == trainer.evaluated() == ('a.pth', 2, 8)
    trainer.train(3, 12)
    assert trainer.evaluated() == (None, 3, 12)
    trainer.resume('a.pth', 2, 8)
    trainer.train(3, 12)
    assert trainer.evaluated() == (None, 3, 12)


def test_a_resumed_runner_that_only_evaluates(trained, tmp_path):
    runner = classifier_run(tmp_path, checkpoints=2)
    runner.resume(saved(trained, 2))
    runner.val()
    expected = {'checkpoint': saved(trained, 2), 'epoch': 0, 'iter': 2}
    assert weights_of(logs(runner)['val_iter_2']) == expected


def test_train_then_the_best_then_train_on():
    trainer = Trainer()
    assert trainer.evaluated() == (None, 0, 0)
    trainer.load_checkpoint('pretrained.pth', epoch=90, iter=900)
    assert trainer.evaluated() == ('pretrained.pth', 90, 900)
    trainer.train(3, 30)
    assert trainer.evaluated() == (None, 3, 30)
    trainer.load_checkpoint('best_2.pth', epoch=2, iter=20)
    assert trainer.evaluated() == trainer.evaluated() == ('best_2.pth', 2, 20)
    trainer.train(4, 40)
    assert trainer.evaluated() == (None, 4, 40)


def test_weights_that_others_wrote_are_unknown():
    trainer = Trainer()
    trainer.load_checkpoint('a.pth', epoch=1, iter=5)
    assert trainer.evaluated() == ('a.pth', 1, 5)
    trainer.model.load_state_dict({name: t + 1 for name, t in trainer.model.state_dict().items()})
    assert trainer.evaluated() == trainer.evaluated() == (None, 0, 0)
    trainer.load_checkpoint('b.pth', epoch=2, iter=6)
    assert trainer.evaluated() == ('b.pth', 2, 6)


@pytest.mark.parametrize(
    ('meta', 'expected'),
    [
        ({'epoch': '../../elsewhere', 'iter': 7}, ('a.pth', 0, 7)),
        ({'epoch': 3}, ('a.pth', 3, 0)),
        ('../..', ('a.pth', 0, 0)),
    ],
)
def test_a_checkpoint_cannot_name_another_folder(meta, expected):
    trainer = Trainer()

    def load_checkpoint(filename):
        trainer.hook.after_load_checkpoint(trainer, {'meta': meta})

    load_checkpoint('a.pth')
    assert trainer.evaluated() == expected
