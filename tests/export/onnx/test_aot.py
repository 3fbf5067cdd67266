"""AOTInductor: the loops as C++, with the same features and iterations."""

from __future__ import annotations

import shutil

import pytest
import setuptools  # noqa: F401  torch imports it late, which fails once a test has imported pip
import torch
from torch import nn
from torch._inductor import aoti_compile_and_package, aoti_load_package

from iterbackbone import IterativeResNet
from iterbackbone.mm.export.models import ExportedModel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which('g++') is None, reason='no C++ compiler'),
    pytest.mark.filterwarnings('ignore'),  # torch's own
]

QUICK = {  # the compiler takes a fourth less time
    'aot_inductor.compile_wrapper_opt_level': 'O0',
    'aot_inductor.precompile_headers': False,
}


class Holder(nn.Module):
    """What ExportedModel wraps."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone


def halting_apart():
    """One stage whose scores follow the brightness of an image."""
    torch.manual_seed(0)
    options = dict(base_channels=4, expansion=1, num_stages=1, max_iterations=(4,), out_indices=(0,))
    network = IterativeResNet(stem='cifar', **options).eval()
    unit = network.stages[0].blocks[0].halting
    nn.init.constant_(unit.fc1.weight, 0.5)
    nn.init.constant_(unit.fc2.weight, 0.01)
    nn.init.constant_(unit.fc2.bias, -2.0)
    return network


def test_a_package_does_what_the_network_does(tmp_path):
    """The recipe of docs/evidence/deployment.md."""
    module = ExportedModel(Holder(halting_apart())).eval()
    image = torch.randint(0, 256, (4, 3, 16, 16)) // torch.tensor([200, 60, 20, 1]).view(-1, 1, 1, 1)
    image = image.to(torch.uint8)
    dynamic = torch.export.Dim.DYNAMIC
    sizes = {'image': {0: dynamic, 2: dynamic}, 'max_iterations': None, 'halting_threshold': None}
    with torch.no_grad():
        program = torch.export.export(module, (image, None, None), dynamic_shapes=sizes)
        path = aoti_compile_and_package(
            program, package_path=str(tmp_path / 'model.pt2'), inductor_configs=QUICK
        )
        run = aoti_load_package(path)
        for images in (image, image[:3, :, :12].contiguous()):  # strides are not looked at
            feature, iterations, macs = run(images, None, None)
            wanted = module(images)
            torch.testing.assert_close(feature, wanted[0], rtol=1e-4, atol=1e-3)
            assert iterations.tolist() == wanted[1].tolist()
            assert macs == wanted[2]
            assert len(iterations.unique()) > 1
