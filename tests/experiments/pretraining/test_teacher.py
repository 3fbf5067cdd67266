"""What a teacher says of packed images: its features, and classifiers that have not seen the image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip('timm')
pytest.importorskip('openvino')
teacher = pytest.importorskip('experiments.pretraining.teacher')


def test_features_are_those_of_the_network(monkeypatch):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 5, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    monkeypatch.setattr(teacher, 'teacher', lambda: network.eval())
    images = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)
    found = teacher.features(images, size=8, batch=3)  # the last batch is smaller
    pixels = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127) / 128
    expected = network(pixels).detach().numpy()
    assert found.dtype == np.float16
    assert np.abs(found - expected).max() < 1e-2 * np.abs(expected).max()


def test_no_image_is_judged_by_who_has_seen_it(monkeypatch):
    """Random labels are learnt by heart from so many features, but not those of unseen images."""
    monkeypatch.setattr(teacher, 'EPOCHS', 60)
    monkeypatch.setattr(teacher, 'BATCH', 20)
    torch.manual_seed(0)
    x, y = torch.randn(200, 400), torch.randint(2, (200,))
    seen = teacher.classifier(x, y, 2)(x).argmax(1).eq(y).float().mean()
    said = teacher.out_of_fold(x, y, x[:10], y[:10])
    assert torch.allclose(said.sum(1), torch.ones(200))
    assert seen > 0.95
    assert said.argmax(1).eq(y).float().mean() < 0.65
