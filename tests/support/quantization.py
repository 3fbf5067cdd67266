"""A small backbone whose images halt apart, as a float32 file; images to go with it."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from iterbackbone import IterativeResNet
from iterbackbone.export.onnx.graph import save
from iterbackbone.export.onnx.model_file import load_image
from iterbackbone.files import image_files
from iterbackbone.mm.configs import build_model  # noqa: F401  registers everything
from iterbackbone.mm.export.exported import onnx_model
from iterbackbone.mm.export.models import ExportedModel

REAL = dict(base_channels=8, expansion=2, num_stages=2, max_iterations=(3, 5), stem='cifar')
REAL |= dict(last_gamma=1.0, last_relu=True)  # the paper's block


def write_images(folder):
    """24 images of 24x32 pixels, dull ones and bright ones."""
    rng = np.random.default_rng(0)
    for k in range(24):
        coarse = rng.normal(rng.uniform(60, 190), rng.uniform(5, 60), (4, 4, 3)).clip(0, 255)
        cv2.imwrite(str(folder / f'{k:02}.png'), cv2.resize(coarse.astype(np.uint8), (32, 24)))


@torch.no_grad()
def spread(network, x):
    """Norms that differ between iterations, some with negative factors; images that halt apart."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            size = module.weight.shape
            sign = torch.where(torch.rand(size, generator=generator) < 0.2, -1.0, 1.0)
            module.weight.copy_(sign * (0.5 + torch.rand(size, generator=generator)))
            module.weight[0] = 0.0  # no bias can be counted in its units
            module.bias.copy_(0.3 * torch.randn(size, generator=generator))
    stem = network.stem.norm
    stem.running_mean.zero_()
    stem.running_var.fill_(1e4)
    for stage in network.iterative_stages():
        for block in stage.iterative_blocks():
            _spread_scores(network, block.halting, x)
    return network


def _spread_scores(network, unit, x):
    seen = []
    hook = unit.register_forward_hook(
        lambda module, pooled, score: seen.append(unit.fc1(torch.cat(pooled, dim=1)).relu())
    )
    unit.fc2.weight.zero_()
    unit.fc2.bias.fill_(-20.0)
    network(x)
    hook.remove()
    logits = seen[0] @ torch.ones(64)
    scale = 2.0 / logits.std()
    unit.fc2.weight.fill_(scale)
    unit.fc2.bias.fill_(-1.0 - scale * logits.median())


class Backbone(nn.Module):
    """What ExportedModel wraps."""

    def __init__(self, x):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = spread(IterativeResNet(**REAL).eval(), x.flip(1))


def write_all(folder):
    """The images, and ``model.onnx`` with loops."""
    (folder / 'images').mkdir()
    write_images(folder / 'images')
    images = [load_image(path, []) for path in image_files(folder / 'images', 24)]
    write_file(folder / 'model.onnx', images)


def write_file(path, images, fixed=None):
    """The backbone as a float32 file, with loops or ``fixed`` iterations.

    Args:
        images: (1, 3, H, W) uint8 each, which shall halt apart.
    """
    model = Backbone(torch.from_numpy(np.concatenate(images)).float())
    if fixed:
        model.backbone.set_budget(max_iterations=fixed)
    save(onnx_model(ExportedModel(model, fixed).eval(), Config({}), {}, 20), path)
