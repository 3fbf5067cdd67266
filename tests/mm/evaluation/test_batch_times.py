"""The stopwatch of an evaluation's batches."""

from __future__ import annotations

import pytest
import torch

from iterbackbone.mm.evaluation.logged_evaluation import BatchTimes


def test_the_models_own_gpu_is_waited_for(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, 'synchronize', waited.append)
    for device in map(torch.device, ('cuda:1', 'cpu')):
        times = BatchTimes(device)
        times.start()
        times.stop(2)
    assert waited == [torch.device('cuda:1')]


def test_a_batch_without_images_takes_no_part():
    times = BatchTimes(torch.device('cpu'))
    for images in (0, 3, 0):
        times.start()
        times.stop(images)
    assert len(times.seconds) == 1
    assert times.fields()['batch_size'] == 3


@pytest.mark.parametrize('batches', [0, 1])
def test_without_images_there_is_no_time(batches):
    times = BatchTimes(torch.device('cpu'))
    for _ in range(batches):
        times.start()
        times.stop(0)
    assert times.fields() is None
