"""Activation checkpointing: same gradients and statistics, one state stored an iteration."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from tests.support.networks import (
    MAX_ITERATIONS,
    images,
    loss_of,
    statistics,
    tiny_layer,
    tiny_net,
    varied,
)

OPTIONS = {
    'depthwise': {'depthwise': True},
    'norm_eval': {'norm_eval': True},
    'group norm': {'norm_layer': lambda channels: nn.GroupNorm(2, channels)},
}


@pytest.mark.parametrize('execution', ['active', 'masked'])
@pytest.mark.parametrize('kind', ['backbone', 'layer', *OPTIONS])
@pytest.mark.parametrize('halted', [False, True], ids=['full depth', 'images halt'])
def test_checkpointing_changes_neither_gradients_nor_statistics(execution, kind, halted):
    options = OPTIONS.get(kind, {})
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
    features, stored = maps_stored(net, images(3))
    counts = Counter({shape: n for shape, n in stored.items() if shape[0] > 4})
    size = {tuple(f.shape[1:]): n for f, n in zip(features, MAX_ITERATIONS, strict=True)}
    # L states s_0 to s_{L-1}, and the output of all stages but the last, which the next one reads
    expected = {shape: n + 1 for shape, n in size.items()}
    expected[list(size)[-1]] -= 1
    assert {shape: counts[shape] for shape in size} == expected
    assert set(counts) == set(size)


def test_checkpointing_stores_nothing_of_the_stem():
    """Neither its map nor the pooled one: the first transition is recomputed from the image."""
    _, stored = maps_stored(tiny_net(stem='imagenet', with_cp=True).train(), images(3, 64, 64))
    width = 4
    assert stored[width, 16, 16] == 0
    assert stored[width, 32, 32] == 0


def maps_stored(net, x):
    """The features, and how many maps of each shape (C, H, W) autograd keeps."""
    stored = {}

    def store(tensor):
        if tensor.dim() == 4 and tensor.shape[-1] > 1:
            stored[tensor.untyped_storage().data_ptr()] = tuple(tensor.shape[1:])
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(store, lambda tensor: tensor):
        features = net(x)
    return features, Counter(stored.values())


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
