"""Tracing and exporting a network whose loops follow the images is refused, with a way out."""

from __future__ import annotations

import io

import pytest
import torch

from iterbackbone.export import ExportForm
from tests.support.networks import images, tiny_layer, tiny_net, varied


@pytest.fixture(scope='module')
def net():
    return varied(tiny_net(num_stages=2, max_iterations=(2, 3)).eval(), images(8))


def onnx_export(module, inputs, dynamo):
    torch.onnx.export(module, inputs, io.BytesIO(), dynamo=dynamo, verbose=False)


CAPTURES = {
    'torch.jit.trace': torch.jit.trace,
    'torch.onnx.export, traced': lambda net, x: onnx_export(net, x, dynamo=False),
    'torch.onnx.export, dynamo': lambda net, x: onnx_export(net, x, dynamo=True),
    'torch.export': torch.export.export,
    'torch.export, strict': lambda net, x: torch.export.export(net, x, strict=True),
}


@pytest.mark.filterwarnings('ignore')  # each of torch's own
@pytest.mark.parametrize('optimized', [False, True])
@pytest.mark.parametrize('capture', CAPTURES.values(), ids=CAPTURES)
def test_captures_name_the_export_form(net, capture, optimized):
    net.optimize_for_inference(optimized)
    net.drop_trace()
    with pytest.raises(Exception, match=r'iterbackbone\.export\.ExportForm'):
        capture(net, (images(2),))


def test_so_do_models_around_it_and_the_roi_layer(net):
    net(images(2))  # leaves a trace; torch.jit.trace reads attributes

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = net

        def forward(self, x):
            return self.backbone(x)[-1].mean(dim=(2, 3))

    with pytest.raises(RuntimeError, match='IterativeResNet can be neither traced nor exported'):
        torch.jit.trace(Model(), (images(2),))
    with pytest.raises(RuntimeError, match='IterativeResLayer can be neither traced nor exported'):
        torch.jit.trace(tiny_layer().eval(), (images(2, 7, 7, channels=32),))


@pytest.mark.filterwarnings('ignore')
def test_a_trace_of_the_export_form_needs_a_fixed_number(net):
    net.drop_trace()
    with pytest.raises(RuntimeError, match=r'keep no loops: .* ExportForm\(network, fixed=K\)'):
        torch.jit.trace(ExportForm(net), (images(2),))
    x, other = images(2), images(2)
    traced = torch.jit.trace(ExportForm(net, fixed=2), (x,))
    net.set_budget(max_iterations=2)
    expected = net(other)
    net.set_budget()
    for one, wanted in zip(traced(other)[0], expected, strict=True):
        torch.testing.assert_close(one, wanted, atol=1e-4, rtol=1e-4)
