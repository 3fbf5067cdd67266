"""Norms where there are no statistics to take: empty batches, one value, frozen stages."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from iterbackbone.core.normalization import FrozenStatistics, last_trained, normalise
from tests.support.networks import blocks, images, loss_of, statistics, tiny_layer, tiny_net

executions = pytest.mark.parametrize('execution', ['active', 'masked'])
checkpointed = pytest.mark.parametrize('with_cp', [False, True], ids=['stored', 'recomputed'])


def spoilt_norm() -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(2)
    norm.running_mean.copy_(torch.tensor([1.0, 2.0]))
    norm.running_var.copy_(torch.tensor([4.0, 9.0]))
    return norm


def test_one_value_per_channel_uses_the_running_statistics():
    norm = spoilt_norm().train()
    x = torch.tensor([5.0, 11.0], requires_grad=True)
    y = normalise(norm, x.view(1, 2, 1, 1))
    torch.testing.assert_close(y.flatten(), torch.tensor([2.0, 3.0]), rtol=1e-4, atol=0)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([1 / 2, 1 / 3]), rtol=1e-4, atol=0)
    torch.testing.assert_close(norm.weight.grad, torch.tensor([2.0, 3.0]), rtol=1e-4, atol=0)
    assert norm.running_mean.tolist() == [1.0, 2.0]
    assert norm.running_var.tolist() == [4.0, 9.0]
    assert norm.num_batches_tracked.item() == 0


def test_elsewhere_it_is_the_norm_itself():
    for x in (torch.randn(2, 2, 1, 1), torch.randn(1, 2, 1, 2), torch.randn(3, 2, 4, 4)):
        norm, other = spoilt_norm().train(), spoilt_norm().train()
        assert torch.equal(normalise(norm, x), other(x))
        assert torch.equal(norm.running_mean, other.running_mean)
        assert norm.num_batches_tracked.item() == 1
    norm = spoilt_norm().eval()
    x = torch.randn(1, 2, 1, 1)
    assert torch.equal(normalise(norm, x), norm(x))


def test_frozen_statistics_normalise_by_the_batch():
    norm, x = spoilt_norm().train(), torch.randn(4, 2, 3, 3)
    expected = spoilt_norm().train()(x)
    with FrozenStatistics([norm, nn.GroupNorm(1, 2)]):
        torch.testing.assert_close(norm(x), expected)
    assert norm.running_mean.tolist() == [1.0, 2.0]
    assert norm.running_var.tolist() == [4.0, 9.0]
    assert norm.num_batches_tracked.item() == 0
    norm(x)
    assert norm.num_batches_tracked.item() == 1
    assert norm.momentum == 0.1
    assert norm.running_mean.tolist() != [1.0, 2.0]


def test_last_trained():
    norms = nn.ModuleList(nn.BatchNorm2d(2) for _ in range(4))
    assert last_trained(norms) is None
    norms[0].num_batches_tracked.fill_(7)
    norms[2].num_batches_tracked.fill_(1)
    assert last_trained(norms) == 3
    assert last_trained([nn.GroupNorm(1, 2)]) is None
    assert last_trained([]) is None


imagenet_net = partial(tiny_net, stem='imagenet')
EMPTY = {  # channels and size of the features at 32 pixels
    tiny_net: [(8, 32), (16, 16), (32, 8), (64, 4)],
    imagenet_net: [(8, 8), (16, 4), (32, 2), (64, 1)],
    tiny_layer: [(64, 16)],
}


@executions
@checkpointed
@pytest.mark.parametrize('make', EMPTY, ids=['cifar', 'imagenet', 'layer'])
@pytest.mark.parametrize('training', [False, True], ids=['eval', 'train'])
def test_empty_batch(make, training, execution, with_cp):
    net = make(execution=execution, with_cp=with_cp).train(training)
    before = statistics(net)
    channels = 32 if make is tiny_layer else 3
    features = net(images(0, channels=channels))
    features = (features,) if make is tiny_layer else features
    assert [tuple(f.shape) for f in features] == [(0, c, n, n) for c, n in EMPTY[make]]
    assert tuple(net.iterations().shape) == tuple(net.trace.ponder_cost.shape) == (0, len(blocks(net)))
    loss = sum(f.sum() for f in features) + net.ponder_cost().sum()
    assert loss.item() == 0.0
    loss.backward()
    if training:
        assert all(p.grad is not None and p.grad.count_nonzero() == 0 for p in net.parameters())
    for name, buffer in statistics(net).items():
        assert torch.equal(buffer, before[name]), name


@executions
@checkpointed
def test_one_image_at_a_single_pixel(execution, with_cp):
    net = tiny_net(stem='imagenet', execution=execution, with_cp=with_cp).train()
    before = statistics(net)
    features = net(images(1))
    assert tuple(features[3].shape) == (1, 64, 1, 1)
    loss_of(net, features).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())
    assert net.stages[3].blocks[0].norm3[0].weight.grad.count_nonzero() > 0
    for name, buffer in statistics(net).items():
        assert torch.equal(buffer, before[name]) == name.startswith('stages.3.'), name


@checkpointed
def test_the_last_running_image_at_a_single_pixel(with_cp):
    """Two images; the first goes on alone after the first iteration."""
    layer = tiny_layer(stride=1, with_cp=with_cp).train()
    halting = layer.stages['3'].blocks[0].halting
    halting.forward = lambda state, y: torch.tensor([0.1, 0.999])[: len(state)] + 0 * state[:, 0]
    before = statistics(layer)
    y = layer(images(2, 1, 1, channels=32))
    assert layer.iterations().tolist() == [[4], [1]]
    loss_of(layer, (y,)).backward()
    assert all(p.grad is not None for p in layer.parameters())
    for name, buffer in statistics(layer).items():
        changed = 'transition' in name or '.0.' in name.split('norm')[1]
        assert torch.equal(buffer, before[name]) != changed, name


@pytest.mark.parametrize('training', [False, True], ids=['eval', 'train'])
@pytest.mark.parametrize(('execution', 'rows'), [('active', [3, 2, 2, 2]), ('masked', [3, 3, 3, 3])])
def test_rows_that_each_iteration_is_normalised_over(execution, rows, training):
    layer = tiny_layer(stride=1, execution=execution).train(training)
    block = layer.stages['3'].blocks[0]
    block.halting.forward = lambda s, y: torch.tensor([0.999, 0.1, 0.1])[-len(s) :] + 0 * s[:, 0]
    seen = []
    for norm in block.norm1:
        norm.register_forward_hook(lambda module, args, output: seen.append(len(args[0])))
    layer(images(3, channels=32))
    assert seen == rows
    assert layer.iterations().tolist() == [[1], [4], [4]]
