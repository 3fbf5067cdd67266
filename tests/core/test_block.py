"""The iterative block: agreement with a plain loop, skipped work, shared weights, gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.support.networks import (
    MAX_ITERATIONS,
    blocks,
    count_conv2,
    images,
    loss_of,
    relative_error,
    stop_at_once,
    tiny_net,
    varied,
)

from .reference import run_image

VARIANTS = {
    'plain': {},
    'depthwise': {'depthwise': True},
    'double': {'blocks_per_stage': 2, 'max_iterations': (2, 3, 3, 2)},
    'imagenet stem': {'stem': 'imagenet', 'expansion': 3, 'halting': {'epsilon': 0.1}},
    'group norm': {'norm_layer': lambda channels: nn.GroupNorm(2, channels)},
}
executions = pytest.mark.parametrize('execution', ['active', 'masked'])


def assert_gradients_agree(net, losses, other_losses, tolerance):
    """Of every parameter, relative to its own largest one where that is not noise."""
    net.zero_grad()
    losses.backward()
    gradients = {name: zero_or(p.grad, p).clone() for name, p in net.named_parameters()}
    net.zero_grad()
    other_losses.backward()
    overall = max(float(g.abs().max()) for g in gradients.values())
    for name, parameter in net.named_parameters():
        expected = zero_or(parameter.grad, parameter)
        scale = max(float(expected.abs().max()), 1e-5 * overall)
        assert float((gradients[name] - expected).abs().max()) <= tolerance * scale, name


def zero_or(gradient, parameter):
    return torch.zeros_like(parameter) if gradient is None else gradient


@executions
@pytest.mark.parametrize('variant', VARIANTS)
@pytest.mark.parametrize('training', [False, True], ids=['eval', 'train'])
def test_agrees_with_algorithm_1_one_image_at_a_time(variant, execution, training):
    options = VARIANTS[variant]
    if training and 'norm_layer' not in options:
        options = {**options, 'norm_eval': True}  # else an image's features depend on the others
    x = images(8)
    net = varied(tiny_net(execution=execution, **options), x).train(training)
    features = net(x)
    loss = loss_of(net, features)
    expected = [run_image(net, image[None]) for image in x]
    iterations = [n for _, n, _ in expected]
    assert net.iterations().tolist() == iterations
    assert sum(len(set(column)) > 1 for column in zip(*iterations, strict=True)) >= 3
    costs = torch.stack([torch.stack(cost) for _, _, cost in expected])
    torch.testing.assert_close(net.trace.ponder_cost, costs, rtol=1e-5, atol=0)
    for k, feature in enumerate(features):
        assert relative_error(feature, torch.cat([f[k] for f, _, _ in expected])) < 1e-5
    reference_loss = 0.1 * costs.sum()
    for stage_features, _, _ in expected:
        reference_loss = reference_loss + sum((f * f).mean() for f in stage_features)
    assert_gradients_agree(net, loss, reference_loss, tolerance=1e-4)


@pytest.mark.parametrize('options', [{}, {'depthwise': True}], ids=['plain', 'depthwise'])
def test_skipped_iterations_do_not_run(options):
    x = images(8)
    net = varied(tiny_net(execution='active', **options), x).eval()
    calls, rows = count_conv2(net, x)
    iterations = net.iterations()
    assert rows == iterations.sum(0).tolist()
    assert calls == iterations.amax(0).tolist()
    assert sum(rows) < 8 * sum(MAX_ITERATIONS)
    assert net.trace.executed.tolist() == iterations.tolist()
    net.execution['eval'] = 'masked'
    calls, rows = count_conv2(net, x)
    assert calls == iterations.amax(0).tolist()
    assert rows == (8 * iterations.amax(0)).tolist()
    assert net.trace.executed.tolist() == [iterations.amax(0).tolist()] * 8


@executions
def test_one_image_stops_after_its_own_iterations(execution):
    x = images(8)
    net = varied(tiny_net(execution=execution), x).eval()
    net(x)
    together = net.iterations().tolist()
    assert len({tuple(row) for row in together}) >= 3
    for image, expected in zip(x, together, strict=True):
        calls, rows = count_conv2(net, image[None])
        assert calls == rows == expected


def test_one_set_of_convolutions_serves_all_iterations():
    net = tiny_net().train()
    weights: dict[str, set[int]] = {}
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            seen = weights.setdefault(name, set())
            module.register_forward_pre_hook(lambda m, args, seen=seen: seen.add(id(m.weight)))
    net(images(2))
    assert net.iterations().tolist() == [list(MAX_ITERATIONS)] * 2
    assert len(weights) == 1 + 4 + 4 * 3  # stem, transitions, three a block
    assert all(len(seen) == 1 for seen in weights.values())
    assert len(set.union(*weights.values())) == len(weights)


def test_norms_belong_to_one_iteration_each():
    norms = [
        norm
        for block in blocks(tiny_net())
        for i in range(block.max_iterations)
        for norm in block.norms(i)
    ]
    assert len(norms) == len({id(norm) for norm in norms}) == 3 * sum(MAX_ITERATIONS)
    assert len({norm.running_mean.data_ptr() for norm in norms}) == len(norms)
    assert len({norm.weight.data_ptr() for norm in norms}) == len(norms)


@executions
@pytest.mark.parametrize('options', [{}, {'depthwise': True, 'blocks_per_stage': 2}, {'with_cp': True}])
def test_every_parameter_has_a_gradient_where_all_images_stop_at_once(execution, options):
    net = stop_at_once(tiny_net(execution=execution, **options)).train()
    sum(f.square().mean() for f in net(images(3))).backward()  # whether or not the cost is in the loss
    assert (net.iterations() == 1).all()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())
    block = net.stages[2].blocks[-1]
    assert block.norm1[0].weight.grad.count_nonzero() > 0
    assert all(block.norm1[i].weight.grad.count_nonzero() == 0 for i in range(1, block.max_iterations))
