"""AOTInductor: the loops as C++, with the same features and iterations."""

from __future__ import annotations

import shutil

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from iterbackbone import IterativeResNet
from iterbackbone.core.export import ExportForm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which('g++') is None, reason='no C++ compiler'),
    pytest.mark.filterwarnings('ignore'),  # torch's own
]


class Flat(nn.Module):
    """AOTInductor keeps no named tuples."""

    def __init__(self, form):
        super().__init__()
        self.form = form

    def forward(self, x):
        features, iterations, macs = self.form(x)
        return *features, iterations, macs


def halting_apart():
    """One stage whose scores follow the brightness of an image."""
    torch.manual_seed(0)
    options = dict(base_channels=4, expansion=1, num_stages=1, max_iterations=(4,), out_indices=(0,))
    network = IterativeResNet(stem='cifar', **options).eval()
    unit = network.stages[0].blocks[0].halting
    nn.init.constant_(unit.fc1.weight, 0.5)
    nn.init.constant_(unit.fc2.weight, 0.04)
    nn.init.constant_(unit.fc2.bias, -2.0)
    return network


def test_a_package_does_what_the_network_does(tmp_path):
    form = Flat(ExportForm(halting_apart())).eval()
    x = torch.randn(4, 3, 16, 16) * torch.tensor([0.1, 0.5, 1.0, 3.0]).view(-1, 1, 1, 1)
    sizes = {'x': {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC}}
    with torch.no_grad():
        program = torch.export.export(form, (x,), dynamic_shapes=sizes)
        path = torch._inductor.aoti_compile_and_package(
            program, package_path=str(tmp_path / 'model.pt2')
        )
        run = torch._inductor.aoti_load_package(path)
        for images in (x, x[:3, :, :12].contiguous()):  # strides are not looked at
            feature, iterations, macs = tree_leaves(run(images))
            wanted = form(images)
            torch.testing.assert_close(feature, wanted[0], rtol=1e-4, atol=1e-4)
            assert iterations.tolist() == wanted[1].tolist()
            assert macs == wanted[2]
            assert len(iterations.unique()) > 1
