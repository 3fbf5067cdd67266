"""A small classifier whose iterations vary between images, exported by the tool."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import export_onnx
import numpy as np
import torch
from mmengine.config import Config
from PIL import Image

from iterbackbone.__main__ import config_path
from iterbackbone.mm.configs import build_model, read_config, trained_model
from tests.support.networks import varied

CONFIG = 'iterative-tiny_1xb64_cifar10-subset'
QUICK = ['--rounds', '2']


def write_classifier(folder):
    """``config.py``, ``trained.pth``, ``images``, ``out/model.onnx`` and what the tool ``printed``."""
    cfg = Config.fromfile(config_path(CONFIG))
    cfg.model.backbone.update(num_stages=2, max_iterations=(3, 6), out_indices=(1,))
    cfg.model.head.in_channels = 64
    cfg.dump(folder / 'config.py')
    torch.manual_seed(0)
    model = build_model(read_config(folder / 'config.py'))
    varied(model.backbone, torch.randn(6, 3, 32, 32) * torch.rand(6, 1, 1, 1) * 2)
    meta = {'dataset_meta': {'classes': tuple('abcdefghij')}}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, folder / 'trained.pth')
    for name in ('images', 'out'):
        (folder / name).mkdir()
    for k in range(6):
        pixels = np.random.default_rng(k).integers(0, 40 * (k + 1), (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / 'images' / f'{k}.png')
    with redirect_stdout(io.StringIO()) as printed:
        images = ['--images', str(folder / 'images')]
        assert export(folder, folder / 'out/model.onnx', *images, *QUICK) == 0
    (folder / 'printed').write_text(printed.getvalue())


def export(folder, out, *more):
    """The tool's exit status."""
    return export_onnx.main(
        [*map(str, (folder / 'config.py', folder / 'trained.pth', '--out', out)), *more]
    )


def classifier(folder):
    """The network of the files."""
    return trained_model(read_config(folder / 'config.py'), str(folder / 'trained.pth'), 'cpu')[0]
