"""SIGKILL at any moment: what is left can be resumed, and ends where it would have ended."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import pytest
import torch
from mmengine.runner import find_latest_checkpoint

from iterbackbone.log.reader import missing_and_repeated, read_meta, read_records
from tests.support.killed_training import EPOCHS, IMAGES, STEPS, start

LAST = f'epoch_{EPOCHS}.pth'


def finish(work_dir):
    time.sleep(1)  # runs that begin in one second share a folder
    process = start(work_dir)
    process.join()
    assert process.exitcode == 0


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """An uninterrupted run and the seconds it took."""
    work_dir = tmp_path_factory.mktemp('whole')
    began = time.monotonic()
    finish(work_dir)
    return work_dir, time.monotonic() - began


def weights(work_dir):
    return torch.load(work_dir / LAST, weights_only=False)['state_dict']


def check(work_dir, whole):
    """The weights are those of the uninterrupted run; no log holds a broken or a repeated line.

    Returns the epochs of complete logs.
    """
    expected = weights(whole)
    assert all(torch.equal(x, expected[key]) for key, x in weights(work_dir).items())
    found = sorted(work_dir.glob('*/iterations/*/meta.json'))
    complete = [path for path in found if path.parent.suffix != '.part']
    for path in complete:
        lines, problems = read_records(path.with_name('records.jsonl'))
        assert [*problems, *missing_and_repeated(path, read_meta(path), lines)] == []
        assert len(lines) == IMAGES
        assert not list(path.parent.glob('*.part'))
    for path in work_dir.glob('*/vis_data/scalars.json'):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        steps = [line['step'] for line in lines if 'loss' in line]
        assert steps == sorted(set(steps))
    return sorted(int(path.parent.name.removeprefix('val_epoch_')) for path in complete)


def resumable(work_dir):
    """Name of the checkpoint that a resumed run takes, if any; it can be read."""
    path = find_latest_checkpoint(str(work_dir))
    if not path:
        return None
    assert torch.load(path, weights_only=False)['state_dict']
    return Path(path).name


@pytest.mark.parametrize(
    ('moment', 'checkpoint', 'logged'),
    [
        (('training', STEPS + 1), 'epoch_1.pth', [1, 2, 3, 4]),
        (('checkpoint', 1), 'epoch_1.pth', [1, 2, 3, 4]),
        (('validation', 4), 'epoch_2.pth', [1, 3, 4]),  # mmengine does not repeat a validation
    ],
    ids=['training', 'checkpoint', 'validation'],
)
def test_killed_once_in_the_second_epoch(tmp_path, whole, moment, checkpoint, logged):
    process = start(tmp_path, *moment)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert resumable(tmp_path) == checkpoint
    finish(tmp_path)
    assert check(tmp_path, whole[0]) == logged


@pytest.mark.long
def test_killed_at_ten_random_moments(tmp_path, whole):
    """Each resumed run is killed again; a run that ends before its moment came starts over."""
    moments = random.Random(0)
    killed = 0
    for attempt in range(100):
        work_dir = tmp_path / str(attempt)
        while not (work_dir / LAST).exists() and killed < 10:
            process = start(work_dir)
            process.join(moments.uniform(0, whole[1]))
            process.kill()
            process.join()
            assert process.exitcode in (0, -signal.SIGKILL)
            killed += process.exitcode == -signal.SIGKILL
            resumable(work_dir)
            time.sleep(1)
        finish(work_dir)
        check(work_dir, whole[0])
        if killed == 10:
            return
    raise AssertionError(f'only {killed} runs were killed')
