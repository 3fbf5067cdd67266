"""The iterative block: agreement with a plain loop, skipped work, shared weights, gradients."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from .networks import (
    MAX_ITERATIONS,
    blocks,
    count_conv2,
    images,
    loss_of,
    relative_error,
    statistics,
    stop_at_once,
    tiny_layer,
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


@executions
@pytest.mark.parametrize('kind', ['backbone', 'layer', 'depthwise', 'norm_eval', 'group norm'])
@pytest.mark.parametrize('halted', [False, True], ids=['full depth', 'images halt'])
def test_checkpointing_changes_neither_gradients_nor_statistics(execution, kind, halted):
    options = {'depthwise': {'depthwise': True}, 'norm_eval': {'norm_eval': True}}.get(kind, {})
    if kind == 'group norm':
        options = VARIANTS[kind]
    make, channels = (tiny_layer, 32) if kind == 'layer' else (tiny_net, 3)
    x = images(6, channels=channels)
    net = make(execution=execution, **options)
    net = (varied(net, x) if halted else net).train().double()
    other = make(execution=execution, with_cp=True, **options).train().double()
    x = x.double()  # small batches magnify float32's rounding
    other.load_state_dict(net.state_dict())
    results = []
    for each in (net, other):
        features = each(x)
        features = features if isinstance(features, tuple) else (features,)
        results.append((features, loss_of(each, features)))
    rounding = {'rtol': 1e-5, 'atol': 1e-6}  # weight * y is rounded before it is added
    torch.testing.assert_close(results[0][0], results[1][0], **rounding)
    for _, loss in results:
        loss.backward()
    for (name, a), b in zip(net.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, **rounding, msg=name)
    for (name, a), b in zip(statistics(net).items(), statistics(other).values(), strict=True):
        torch.testing.assert_close(a, b, **rounding, msg=name)
    if kind == 'backbone':
        assert other.stages[0].blocks[0].norm1[0].num_batches_tracked.item() == 1


def test_checkpointing_stores_one_state_an_iteration():
    """Beside it only what the scores need, and each stage's input."""
    net = tiny_net(with_cp=True, execution='masked').train()
    net.hold_halting()
    stored = {}

    def store(tensor):
        if tensor.dim() == 4 and tensor.shape[-1] > 1:
            stored[tensor.untyped_storage().data_ptr()] = tuple(tensor.shape[1:])
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(store, lambda tensor: tensor):
        features = net(images(3))
    counts = Counter(shape for shape in stored.values() if shape[0] > 4)
    size = {tuple(f.shape[1:]): n for f, n in zip(features, MAX_ITERATIONS, strict=True)}
    # L states s_0 to s_{L-1}, and the output of all stages but the last, which the next one reads
    expected = {shape: n + 1 for shape, n in size.items()}
    expected[list(size)[-1]] -= 1
    assert {shape: counts[shape] for shape in size} == expected
    assert set(counts) == set(size)


def test_checkpointing_allows_a_second_backward_pass():
    net = tiny_net(with_cp=True).train()
    loss = loss_of(net, net(images(3)))
    before = statistics(net)
    loss.backward(retain_graph=True)
    once = [p.grad.clone() for p in net.parameters()]
    loss.backward()
    for parameter, gradient in zip(net.parameters(), once, strict=True):
        torch.testing.assert_close(parameter.grad, 2 * gradient)
    assert all(torch.equal(buffer, before[name]) for name, buffer in statistics(net).items())


def test_checkpointing_keeps_the_statistics_of_synchronised_norms():
    """torch's SyncBatchNorm insists on counting batches; alone it normalises as BatchNorm does."""
    nets = [tiny_net(norm_layer=nn.SyncBatchNorm, with_cp=with_cp).train() for with_cp in (False, True)]
    nets[1].load_state_dict(nets[0].state_dict())
    x = images(3)
    for net in nets:
        loss_of(net, net(x)).backward()
    first, second = (net.state_dict() for net in nets)
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, msg=name)
    assert nets[1].stages[2].blocks[0].norm2[0].num_batches_tracked.item() == 1
