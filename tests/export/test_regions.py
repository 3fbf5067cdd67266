"""The export form of a RoI layer: regions leave the loop when they halt."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from iterbackbone.core.macs import mac_table
from iterbackbone.export import ExportForm
from tests.support.networks import tiny_layer, varied


@torch.no_grad()
@pytest.mark.parametrize('rows', [5, 0])
def test_regions_leave_when_they_halt(rows):
    x = torch.randn(8, 32, 7, 7) * torch.rand(8, 1, 1, 1) * 3
    layer = varied(tiny_layer(), x).eval()
    form, x = ExportForm(layer), x[:rows]
    called = []
    form.blocks[0].convs[1].register_forward_hook(lambda *args: called.append(len(args[2])))
    found = form(x)
    assert sum(called) == found.iterations.sum()
    wanted = layer(x)
    assert torch.equal(found.iterations, layer.iterations())
    assert torch.allclose(found.features[0], wanted, atol=1e-4)
    table = mac_table(layer, (7, 7))
    assert found.macs == sum(table.total(row) for row in found.iterations.tolist())
    assert len(found.iterations.unique()) > 1 or not rows


class Chosen(nn.Module):
    """A form that runs some of the regions; which ones is known while the graph runs."""

    def __init__(self, form):
        super().__init__()
        self.form = form

    def forward(self, x, chosen):
        return self.form(x[chosen.nonzero().squeeze(1)])


@torch.no_grad()
def test_a_number_of_regions_that_depends_on_data():
    x = torch.randn(8, 32, 7, 7) * torch.rand(8, 1, 1, 1) * 3
    layer = varied(tiny_layer(), x).eval()
    module = Chosen(ExportForm(layer, max_regions=8))
    every = torch.ones(8, dtype=torch.bool)
    program = torch.export.export(module, (x, every), strict=False).module()
    for chosen in (every, every.clone().index_fill(0, torch.tensor([0, 3, 7]), False), ~every):
        found, wanted = program(x, chosen), module(x, chosen)
        assert torch.equal(found.iterations, wanted.iterations)
        assert found.iterations.shape == (chosen.sum(), 1)
        assert found.macs == wanted.macs
        assert torch.allclose(found.features[0], layer(x[chosen]), atol=1e-4)


@torch.no_grad()
def test_a_fixed_number_for_regions():
    x = torch.randn(5, 32, 7, 7)
    layer = varied(tiny_layer(), x).eval()
    found = ExportForm(layer, fixed=2)(x)
    layer.set_budget(max_iterations=2)
    assert torch.allclose(found.features[0], layer(x), atol=1e-4)
    assert torch.equal(found.iterations, layer.iterations())
    assert found.macs == 5 * mac_table(layer, (7, 7)).total((2,), (2,))
