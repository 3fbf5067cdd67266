"""The mean of two checkpoints of a tiny network."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from experiments.pretraining import average
from iterbackbone.mm.configs import build_model, read_config
from tests.support.packed import packed


def test_weights_are_the_mean_and_statistics_those_of_training_batches(tmp_path, monkeypatch):
    packed(tmp_path, 'train', 40, side=32)
    np.save(tmp_path / 'train_teacher.npy', np.full((40, 200), 1 / 200, np.float16))
    options = {
        'model.backbone.base_channels': 2,
        'model.head.in_channels': 64,
        'train_dataloader.batch_size': 20,
        'train_dataloader.dataset.data_root': str(tmp_path),
    }
    config = Path(average.__file__).with_name('distilled.py')
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        states.append(build_model(read_config(config, options)).state_dict())
        torch.save({'state_dict': states[-1]}, tmp_path / f'{seed}.pth')
    seen = []

    def watched(inputs, model):
        update_bn((seen.append(x) or x for x in inputs), model)

    update_bn = average.update_bn
    monkeypatch.setattr(average, 'update_bn', watched)
    command = ['average.py', *(tmp_path / f'{seed}.pth' for seed in (1, 2)), '--batches', 4]
    command += ['--out', tmp_path / 'mean.pth', '--cfg-options']
    words = [str(word) for word in command] + [f'{key}={value}' for key, value in options.items()]
    monkeypatch.setattr(sys, 'argv', words)
    average.main()

    found = torch.load(tmp_path / 'mean.pth', weights_only=True)['state_dict']
    model = build_model(read_config(config, options))
    for name, _ in model.named_parameters():
        torch.testing.assert_close(found[name], (states[0][name] + states[1][name]) / 2)
    model.load_state_dict(found)
    assert len(seen) == 4
    assert all(x.shape == (20, 3, 48, 48) for x in seen)
    means = [model.backbone.stem.conv(x).mean((0, 2, 3)) for x in seen]
    expected = torch.stack(means).mean(0)
    torch.testing.assert_close(found['backbone.stem.norm.running_mean'], expected.detach())
    counts = [v for k, v in found.items() if k.endswith('num_batches_tracked')]
    assert set(map(int, counts)) == {4}  # rows of every depth in each batch
