"""The shared kernels: hand-derived values and what always holds."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from iterbackbone.warm_start.layouts import read_resnet
from iterbackbone.warm_start.shared_convolution import (
    METHODS,
    RIDGE,
    NormalEquations,
    identity_kernels,
    shared_kernels,
)
from tests.support.resnets import layers, narrow_resnet, share_kernels


def point(value):
    """A 1x1 kernel with one channel."""
    return torch.full((1, 1, 1, 1), float(value))


def test_two_kernels_on_two_numbers():
    """w minimises (w - 1)^2 2^2 + (w - 4)^2 1^2 + r (w - 2.5)^2, r = RIDGE (2^2 + 1^2)."""
    equations = NormalEquations({'a': point(1), 'b': point(4)})
    equations.add('a', point(2))
    equations.add('b', point(1))
    r = RIDGE * 5
    expected = (1 * 4 + 4 * 1 + r * 2.5) / (4 + 1 + r)  # 1.6009 rather than the mean 2.5
    torch.testing.assert_close(equations.solve(), point(expected))


def test_no_input_gives_the_mean():
    equations = NormalEquations({'a': point(1), 'b': point(4)})
    equations.add('a', point(0))
    assert equations.solve() == 2.5


def test_a_lone_kernel_is_found_again_at_the_border_too():
    kernel = torch.randn(3, 2, 3, 3)
    equations = NormalEquations({'a': kernel, 'b': torch.zeros_like(kernel)})
    equations.add('a', torch.randn(4, 2, 6, 6))  # b saw nothing: it has no say but in the ridge
    torch.testing.assert_close(equations.solve(), kernel, atol=0.01, rtol=0)


@given(st.integers(0, 10**6), st.sampled_from([1, 3]))
def test_fits_the_outputs_better_than_any_of_its_kernels_and_the_mean(seed, size):
    generator = torch.Generator().manual_seed(seed)
    kernels = {n: torch.randn(2, 3, size, size, generator=generator) for n in 'abc'}
    inputs = {n: torch.randn(2, 3, 7, 7, generator=generator) for n in 'abc'}
    equations = NormalEquations(kernels)
    for name, x in inputs.items():
        equations.add(name, x)

    def error(kernel):
        outputs = (F.conv2d(inputs[n], kernel - kernels[n], padding=size // 2) for n in 'abc')
        return sum(out.square().sum() for out in outputs)

    best = error(equations.solve())
    for other in (*kernels.values(), equations.mean):
        assert best <= error(other) * (1 + 1e-4)


def test_first_and_mean():
    net = narrow_resnet(cifar=True)
    resnet = read_resnet(net.state_dict())
    first, mean = (shared_kernels(resnet, method) for method in ('first', 'mean'))
    assert set(first) == set(mean) == {(s, j) for s in (1, 2, 3, 4) for j in (1, 2, 3)}
    a, b, c = (block.conv2.weight for block in layers(net)[1][1:])
    assert torch.equal(first[2, 2], a)
    torch.testing.assert_close(mean[2, 2], (a + b + c) / 3)


@pytest.mark.parametrize('method', METHODS)
def test_equal_kernels_are_the_shared_kernel(method):
    net = narrow_resnet(cifar=True)
    share_kernels(net)
    kernels = shared_kernels(read_resnet(net.state_dict()), method, [torch.randn(2, 3, 32, 32)])
    for (stage, conv), kernel in kernels.items():
        expected = getattr(getattr(net, f'layer{stage}')[1], f'conv{conv}').weight
        torch.testing.assert_close(kernel, expected, atol=1e-6, rtol=1e-5)


def test_least_squares_comes_nearer_to_the_network_than_first_and_mean():
    net = narrow_resnet(cifar=True)
    resnet = read_resnet(net.state_dict())
    images = [torch.randn(4, 3, 32, 32) for _ in range(2)]
    missed = {}
    inputs = {}
    block = net.layer3[4]
    block.conv2.register_forward_pre_hook(lambda _, args: inputs.setdefault('x', args[0]))
    with torch.no_grad():
        net(torch.randn(4, 3, 32, 32))  # other images
        for method in METHODS:
            kernel = shared_kernels(resnet, method, images)[3, 2] - block.conv2.weight
            missed[method] = F.conv2d(inputs['x'], kernel, padding=1).square().mean()
    assert missed['least-squares'] < missed['mean'] < missed['first']


def test_a_stage_without_identity_block_is_refused():
    resnet = read_resnet(narrow_resnet().state_dict())._replace(blocks=(3, 1, 6, 3))
    with pytest.raises(ValueError, match='layer2 must have at least 2 blocks, got 1'):
        identity_kernels(resnet, 2, 1)


def test_bad_methods_are_refused():
    resnet = read_resnet(narrow_resnet().state_dict())
    with pytest.raises(ValueError, match=r"method must be one of .* got 'median'"):
        shared_kernels(resnet, 'median')
    with pytest.raises(ValueError, match="needs images; without them: 'first', 'mean'"):
        shared_kernels(resnet, 'least-squares')
