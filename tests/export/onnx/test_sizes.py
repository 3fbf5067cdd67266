"""Sizes that depend on the image, as in front of TensorFlow's convolutions."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from iterbackbone.export.onnx.graph import export_graph
from iterbackbone.export.onnx.runtime import open_session
from tests.support.networks import images

DYNAMIC = {'x': {0: 'batch', 2: 'height', 3: 'width'}}


class Padded(torch.nn.Module):
    """Two of TensorFlow's convolutions of stride 2, whose padding depends on the size."""

    def __init__(self):
        super().__init__()
        self.first, self.last = torch.nn.Conv2d(3, 8, 3, 2), torch.nn.Conv2d(8, 8, 3, 2)
        self.conv, self.norm = torch.nn.Conv2d(8, 8, 1), torch.nn.BatchNorm2d(8)

    def forward(self, x):
        x = self.first(self.padded(x))
        return self.last(self.padded(F.relu6(self.norm(self.conv(x)))))

    def padded(self, x):
        missing = [max((math.ceil(n / 2) - 1) * 2 + 3 - n, 0) for n in x.shape[:1:-1]]
        return F.pad(x, [part for n in missing for part in (n // 2, n - n // 2)])


def test_nothing_but_the_norm_reads_a_convolution():
    """Runtimes fuse the norm into it then; a size is read behind both."""
    module = Padded().eval()
    model = export_graph(module, {'x': images(1, 32, 32)}, DYNAMIC, ['y'], opset=20)
    made_by = {name: node.op_type for node in model.graph.node for name in node.output}
    sizes_of = {made_by.get(n.input[0]) for n in model.graph.node if n.op_type == 'Shape'}
    assert 'Clip' in sizes_of
    assert sizes_of <= {'Clip', None}  # None: the image
    x = images(1, 33, 40)
    with torch.no_grad():
        wanted = module(x).numpy()
    (found,) = open_session(model.SerializeToString()).run(None, {'x': x.numpy()})
    assert np.abs(found - wanted).max() < 1e-5
