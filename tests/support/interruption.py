"""Trainings and evaluations that are interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.hooks import Hook


class Interruption(Hook):
    """Ctrl-C in the second step of the first run."""

    def __init__(self):
        self.due = True

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.due and batch_idx == 1:
            self.due = False
            raise KeyboardInterrupt


def interrupted(runner, loop, evaluator, monkeypatch) -> Path:
    """Run ``runner.val`` or ``runner.test`` until its third batch; the folder that it leaves."""
    done = []

    def fail_at_the_third(*args, **kwargs):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)

    monkeypatch.setattr(evaluator, 'process', fail_at_the_third)
    monkeypatch.setattr(runner, '_log_dir', str(Path(runner.work_dir, 'interrupted')))
    with pytest.raises(KeyboardInterrupt):
        loop()
    (left,) = Path(runner.log_dir, 'iterations').iterdir()
    return left
