"""torch.compile: graphs around the loop's decisions, with the same results."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.support.networks import images, loss_of, relative_error, tiny_net, varied


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore')  # each of torch's own
@pytest.mark.parametrize('training', [False, True])
def test_a_compiled_network_is_the_same(training):
    torch._dynamo.reset()
    x = images(3)
    net = varied(tiny_net(num_stages=2, max_iterations=(2, 3)), x).train(training)
    compiled = copy.deepcopy(net)
    graphs = []

    def keep(graph, _):  # a backend that runs the captured operations as they are
        graphs.append(graph)
        return graph.forward

    compiled.compile(backend=keep)  # in place, as a detector's backbone must stay in its place
    assert compiled.state_dict().keys() == net.state_dict().keys()
    for module in (net, compiled):
        loss_of(module, module(x)).backward()
    assert graphs
    assert compiled.iterations().tolist() == net.iterations().tolist()
    assert len(net.iterations().unique(dim=0)) > 1
    for name, parameter in net.named_parameters():
        if parameter.grad is not None and parameter.grad.count_nonzero():
            actual = compiled.get_parameter(name).grad
            assert relative_error(actual, parameter.grad) < 1e-5, name


@pytest.mark.filterwarnings('ignore')  # each of torch's own
def test_another_batch_size():
    torch._dynamo.reset()
    x = images(8)
    net = varied(tiny_net(num_stages=1, base_channels=2, max_iterations=(4,)).eval(), x)
    compiled = copy.deepcopy(net)
    compiled.compile(backend='eager')
    for batch in (x, x[:5], x[5:]):
        with torch.no_grad():
            (expected,), (actual,) = net(batch), compiled(batch)
        torch.testing.assert_close(actual, expected)
        assert compiled.iterations().equal(net.iterations())
        assert len(net.iterations().unique()) > 1
