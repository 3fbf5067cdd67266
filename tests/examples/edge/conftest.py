"""Exported files and images for the runner's tests."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image


@pytest.fixture(scope='session')
def classifier(tmp_path_factory):
    """A file of a small classifier whose iterations vary, and the network it was made from."""
    from mmengine.config import Config

    from iterbackbone.__main__ import config_path
    from iterbackbone.export.onnx.graph import save
    from iterbackbone.mm.configs import build_model
    from iterbackbone.mm.export.exported import exported
    from iterbackbone.mm.export.onnx_file import onnx_model
    from tests.support.networks import varied

    cfg = Config.fromfile(config_path('iterative-tiny_1xb64_cifar10-subset'))
    cfg.model.backbone.update(num_stages=2, max_iterations=(3, 6), out_indices=(1,))
    cfg.model.head.in_channels = 64
    torch.manual_seed(0)
    model = build_model(cfg)
    varied(model.backbone, torch.randn(6, 3, 32, 32) * torch.rand(6, 1, 1, 1) * 2)
    path = tmp_path_factory.mktemp('edge') / 'classifier.onnx'
    module = exported(model)
    save(onnx_model(module, cfg, {'classes': list('abcdefghij')}, 20), path)
    return path, module


@pytest.fixture(scope='session')
def pictures(tmp_path_factory):
    """A folder of six images of rising contrast, one of them grey and one with transparency."""
    folder = tmp_path_factory.mktemp('pictures')
    for k in range(6):
        pixels = np.random.default_rng(k).integers(0, 40 * (k + 1), (32, 32, 3), dtype=np.uint8)
        mode = {1: 'L', 2: 'RGBA'}.get(k, 'RGB')
        Image.fromarray(pixels).convert(mode).save(folder / f'{k}.png')
    return folder
