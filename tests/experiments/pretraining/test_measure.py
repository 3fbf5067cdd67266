"""Accuracy at budgets and sizes, and the linear probe, of a tiny network."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from experiments.pretraining import measure
from iterbackbone import IterativeResNet
from iterbackbone.mm.configs import build_model, read_config
from tests.support.packed import packed

CONFIG = Path(measure.__file__).with_name('iterative.py')


def test_budgets():
    assert measure.budgets(nn.Identity()) == [None]
    found = measure.budgets(IterativeResNet(depth=50, base_channels=2))
    assert (found[0], found[-1]) == ((1, 1, 1, 1), (3, 4, 6, 3))
    assert len(found) == 4


def test_the_probe_finds_what_is_linear():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 5, generator=generator)
    labels = (x[:, 0] > 0.5).long()
    weights = measure.ridge(x, labels, 1e-3)
    assert weights.shape == (6, 2)
    scores = x.double() @ weights[:-1] + weights[-1]
    assert (scores.argmax(1) == labels).float().mean() > 0.9


def test_a_report(tmp_path, monkeypatch):
    for part, count in (('train', 30), ('test', 9), ('val', 12)):
        packed(tmp_path, part, count, side=32)
    options = {'model.backbone.base_channels': 2, 'model.head.in_channels': 64}
    options['val_dataloader.dataset.data_root'] = str(tmp_path)
    torch.manual_seed(1)
    state = build_model(read_config(CONFIG, options)).state_dict()
    torch.save({'state_dict': state}, tmp_path / 'tiny.pth')
    command = [
        'measure.py',
        tmp_path / 'tiny.pth',
        '--out',
        tmp_path / 'report.json',
        '--probe',
        tmp_path,
    ]
    command += ['--sizes', 32, 64, '--probe-size', 32, '--cfg-options']
    words = [str(word) for word in command] + [f'{key}={value}' for key, value in options.items()]
    monkeypatch.setattr(sys, 'argv', words)
    measure.main()
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['probe'].keys() == {'random weights', 'trained'}
    assert all(0 <= share <= 100 for share in report['probe'].values())
    rows = report['accuracy']
    assert [row['size'] for row in rows] == [32] * 4 + [64] * 4
    assert [row['depths'] for row in rows[:4]] == [row['depths'] for row in rows[4:]]
    assert rows[3]['share'] == rows[7]['share'] == 1.0
    assert all(row['top1'] == pytest.approx(round(row['top1'] * 12 / 100) * 100 / 12) for row in rows)
