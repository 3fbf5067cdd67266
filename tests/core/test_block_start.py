"""The options of the last norm: its initial gamma and the ReLU behind it."""

from __future__ import annotations

import pytest
import torch

from iterbackbone.export import ExportForm
from tests.core.reference import run_image
from tests.support.networks import blocks, images, relative_error, tiny_layer, tiny_net, varied


@pytest.mark.parametrize('build', [tiny_net, tiny_layer])
@pytest.mark.parametrize('gamma', [1.0, 0.1, 0.3])
def test_gamma_of_each_iterations_last_norm(build, gamma):
    for block in blocks(build(last_gamma=gamma, depthwise=True)):
        for i in range(block.max_iterations):
            *others, last = block.norms(i)
            assert torch.equal(last.weight, torch.full_like(last.weight, gamma))
            assert all(torch.equal(norm.weight, torch.ones_like(norm.weight)) for norm in others)


@torch.no_grad()
@pytest.mark.parametrize('last_relu', [False, True])
@pytest.mark.parametrize('execution', ['active', 'masked'])
def test_with_and_without_the_last_relu_by_the_reference(execution, last_relu):
    x = images(5)
    net = varied(tiny_net(last_relu=last_relu, execution=execution), x).eval()
    features = net(x)
    iterations = net.iterations()
    assert len(set(map(tuple, iterations.tolist()))) > 1
    for row in range(5):
        wanted, n, _ = run_image(net, x[row : row + 1])
        assert iterations[row].tolist() == n
        for found, state in zip(features, wanted, strict=True):
            assert relative_error(found[row], state[0]) <= 1e-5
    outputs = [block.residual(f, 0) for block, f in zip(blocks(net), features, strict=True)]
    assert any((y < 0).any() for y in outputs) is not last_relu


@torch.no_grad()
@pytest.mark.parametrize('last_relu', [False, True])
@pytest.mark.parametrize('depthwise', [False, True])
def test_other_forms_know_it(depthwise, last_relu):
    x = images(5)
    net = varied(tiny_net(last_relu=last_relu, depthwise=depthwise), x).eval()
    plain, iterations = net(x), net.iterations()
    exported = ExportForm(net)(x)
    fixed = ExportForm(net, fixed=9)(x)
    net.optimize_for_inference()
    fast = net(x)
    assert torch.equal(net.iterations(), iterations)
    assert torch.equal(exported.iterations, iterations)
    for a, b, c, d in zip(plain, fast, exported.features, fixed.features, strict=True):
        assert relative_error(b, a) <= 1e-5
        assert relative_error(c, a) <= 1e-5
        assert relative_error(d, a) <= 1e-5


@pytest.mark.parametrize('last_relu', [False, True])
def test_recomputation_knows_it(last_relu):
    x = images(3)
    torch.manual_seed(0)
    stored = tiny_net(last_relu=last_relu)
    recomputed = tiny_net(last_relu=last_relu, with_cp=True)
    recomputed.load_state_dict(stored.state_dict())
    grads = []
    for net in (stored, recomputed):
        sum(f.square().mean() for f in net(x)).backward()
        grads.append(net.stages[2].blocks[0].conv3.weight.grad)
    assert relative_error(*grads) <= 1e-4


def test_gradient_at_a_gamma_of_zero_needs_no_relu():
    net = tiny_net(last_gamma=0.0, last_relu=False)
    sum(f.square().mean() for f in net(images(3))).backward()
    assert all(norm.weight.grad.abs().sum() > 0 for norm in blocks(net)[1].norm3)


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        (
            {'last_gamma': 0.0, 'last_relu': True},
            ValueError,
            r'last_gamma must be above 0 \(a ReLU follows\), got 0',
        ),
        ({'last_gamma': -0.1, 'last_relu': False}, ValueError, 'at least 0, got -0.1'),
        ({'last_gamma': '1'}, TypeError, 'last_gamma must be a number'),
        ({'last_relu': 1}, TypeError, 'last_relu must be a bool'),
        (
            {'norm_layer': lambda c: torch.nn.BatchNorm2d(c, affine=False)},
            ValueError,
            'last_gamma must be 1 for a norm without gamma, got 0.1',
        ),
    ],
)
def test_bad_values(options, error, message):
    with pytest.raises(error, match=message):
        tiny_net(**options)


def test_weights_of_other_parts_leave_the_start():
    """A head's weights alone must not keep a model's ``init_weights`` from being undone."""
    net = tiny_net(last_gamma=0.1)
    for block in blocks(net):
        for norm in block.norm3:
            torch.nn.init.ones_(norm.weight)
    model = torch.nn.ModuleDict({'backbone': net, 'head': torch.nn.Linear(2, 2)})
    head = {k: v for k, v in model.state_dict().items() if k.startswith('head.')}
    model.load_state_dict(head, strict=False)
    net.train()(images(2))
    assert all((norm.weight == 0.1).all() for block in blocks(net) for norm in block.norm3)
