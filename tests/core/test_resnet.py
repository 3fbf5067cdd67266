"""IterativeResNet: state dict, geometry, frozen stages, gradients' edge cases."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tests.support.networks import (
    CHANNELS,
    MAX_ITERATIONS,
    blocks,
    images,
    loss_of,
    relative_error,
    statistics,
    tiny_net,
    varied,
)

BATCH_NORM = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')


def expected_keys(lengths=MAX_ITERATIONS, blocks_per_stage=1, depthwise=False) -> list[str]:
    """The contract's patterns, written out."""
    norms = ['norm1', 'norm2', 'norm3'] + ['conv2.norm'] * depthwise
    spatial = ['conv2.depthwise', 'conv2.pointwise'] if depthwise else ['conv2']
    keys = ['stem.conv.weight', *(f'stem.norm.{name}' for name in BATCH_NORM)]
    for k, length in enumerate(lengths):
        keys.append(f'stages.{k}.transition.conv.weight')
        keys += [f'stages.{k}.transition.norm.{name}' for name in BATCH_NORM]
        for b in range(blocks_per_stage):
            block = f'stages.{k}.blocks.{b}'
            keys += [f'{block}.{conv}.weight' for conv in ('conv1', *spatial, 'conv3')]
            keys += [
                f'{block}.{n}.{i}.{name}' for n in norms for i in range(length) for name in BATCH_NORM
            ]
            if length > 1:
                fcs = ('fc1', 'fc2')
                keys += [f'{block}.halting.{fc}.{name}' for fc in fcs for name in ('weight', 'bias')]
    return sorted(keys)


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'depthwise': True},
        {'blocks_per_stage': 2, 'max_iterations': (3, 1, 2), 'num_stages': 3},
        {'depthwise': True, 'blocks_per_stage': 2},
    ],
)
def test_state_dict_keys(options):
    net = tiny_net(**options)
    lengths = options.get('max_iterations', MAX_ITERATIONS)
    keys = expected_keys(lengths, options.get('blocks_per_stage', 1), options.get('depthwise', False))
    assert sorted(net.state_dict()) == keys
    assert sorted(copy.deepcopy(net).state_dict()) == keys


def test_state_dict_round_trip():
    x = images(4)
    net = varied(tiny_net(), x).eval()
    other = tiny_net().eval()
    assert relative_error(other(x)[3], net(x)[3]) > 0.01
    result = other.load_state_dict(net.state_dict(), strict=True)
    assert (result.missing_keys, result.unexpected_keys) == ([], [])
    assert all(torch.equal(a, b) for a, b in zip(net(x), other(x), strict=True))
    assert net.iterations().tolist() == other.iterations().tolist()


def test_convolutions_do_not_grow_with_the_iterations():
    counts = []
    for lengths in ((1, 1, 1, 1), MAX_ITERATIONS, (20, 3, 7, 2)):
        net = tiny_net(max_iterations=lengths)
        counts.append(sum(m.weight.numel() for m in net.modules() if isinstance(m, nn.Conv2d)))
        norms = [m for b in blocks(net) for m in b.modules() if isinstance(m, nn.BatchNorm2d)]
        assert len(norms) == 3 * sum(lengths)
    assert counts[0] == counts[1] == counts[2] > 0


@pytest.mark.parametrize(
    ('depth', 'lengths'), [(50, (3, 4, 6, 3)), (101, (3, 4, 23, 3)), (152, (3, 8, 36, 3))]
)
def test_depth_sets_the_iterations(depth, lengths):
    assert tiny_net(depth=depth, max_iterations=None).max_iterations == lengths
    assert tiny_net(depth=depth, max_iterations=None, num_stages=3).max_iterations == lengths[:3]


@pytest.mark.parametrize(
    ('options', 'size', 'expected'),
    [
        ({'stem': 'cifar'}, (32, 32), [(32, 32), (16, 16), (8, 8), (4, 4)]),
        ({'stem': 'imagenet'}, (64, 96), [(16, 24), (8, 12), (4, 6), (2, 3)]),
        ({'stem': 'imagenet'}, (33, 65), [(9, 17), (5, 9), (3, 5), (2, 3)]),
        ({'stem': 'cifar'}, (33, 65), [(33, 65), (17, 33), (9, 17), (5, 9)]),
        (
            {'stem': 'imagenet', 'strides': (1, 2, 1, 1), 'dilations': (1, 1, 2, 4)},
            (65, 64),
            [(17, 16), (9, 8), (9, 8), (9, 8)],
        ),
    ],
)
def test_feature_sizes(options, size, expected):
    net = tiny_net(**options).train()
    features = net(images(2, *size))
    assert [tuple(f.shape) for f in features] == [
        (2, c, *s) for c, s in zip(CHANNELS, expected, strict=True)
    ]
    loss_of(net, features).backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_dilation_widens_the_3x3_convolution_only():
    net = tiny_net(dilations=(1, 1, 2, 4))
    assert [b.conv2.dilation for b in blocks(net)] == [(1, 1), (1, 1), (2, 2), (4, 4)]
    depthwise = tiny_net(dilations=(1, 1, 2, 4), depthwise=True)
    assert [b.conv2.depthwise.dilation for b in blocks(depthwise)] == [(1, 1), (1, 1), (2, 2), (4, 4)]
    assert all(b.conv2.pointwise.dilation == b.conv1.dilation == (1, 1) for b in blocks(depthwise))


@pytest.mark.parametrize('indices', [(3,), (1, 3), (0, 1, 2, 3)])
def test_out_indices_pick_stages(indices):
    x = images(2)
    net = tiny_net().eval()
    everything = net(x)
    net.out_indices = indices
    subset = tiny_net(out_indices=indices).eval()
    subset.load_state_dict(net.state_dict())
    features = subset(x)
    assert len(features) == len(indices)
    assert all(torch.equal(f, everything[k]) for f, k in zip(features, indices, strict=True))
    assert subset.iterations().shape == (2, 4)


@pytest.mark.parametrize('expansion', [1, 2, 3, 4])
def test_expansion_widens_the_features(expansion):
    features = tiny_net(expansion=expansion).eval()(images(1))
    assert [f.shape[1] for f in features] == [4 * expansion * 2**k for k in range(4)]


def test_single_iterations():
    net = tiny_net(max_iterations=(1, 1, 1, 1)).train()
    assert all(block.halting is None for block in blocks(net))
    features = net(images(3))
    assert net.iterations().tolist() == [[1] * 4] * 3
    assert net.trace.ponder_cost.tolist() == [[2.0] * 4] * 3
    loss_of(net, features).backward()
    assert all(p.grad is not None for p in net.parameters())
    net.hold_halting()
    net.eval()(images(1))
    assert net.ponder_cost().tolist() == [8.0]


def test_channels_last_changes_nothing():
    x = images(6)
    net = varied(tiny_net(), x).eval()
    expected, iterations = net(x), net.iterations()
    net = net.to(memory_format=torch.channels_last)
    for a, b in zip(net(x.to(memory_format=torch.channels_last)), expected, strict=True):
        assert relative_error(a, b) < 1e-5
    assert torch.equal(net.iterations(), iterations)


@pytest.mark.parametrize('frozen_stages', [-1, 0, 1, 3, 4])
def test_frozen_stages(frozen_stages):
    net = tiny_net(frozen_stages=frozen_stages)
    frozen = ('stem.', *(f'stages.{k}.' for k in range(4)))[: frozen_stages + 1]
    for _ in range(2):
        for name, parameter in net.named_parameters():
            assert parameter.requires_grad != name.startswith(frozen), name
        for name, module in net.named_modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.training != name.startswith(frozen), name
        before = statistics(net)
        features = net(images(3))
        if frozen_stages < 4:
            loss_of(net, features).backward()
        for name, parameter in net.named_parameters():
            assert (parameter.grad is None) == name.startswith(frozen), name
        for name, buffer in statistics(net).items():
            assert torch.equal(buffer, before[name]) == name.startswith(frozen), name
        net.drop_trace()
        net = net.eval().train()  # and once more after toggling


@pytest.mark.parametrize('toggled', [True, False], ids=['train()', 'as built'])
def test_norm_eval(toggled):
    net = tiny_net(norm_eval=True)
    net = net.eval().train() if toggled else net
    before = statistics(net)
    loss_of(net, net(images(3))).backward()
    assert net.training
    assert all(p.requires_grad and p.grad is not None for p in net.parameters())
    for name, buffer in statistics(net).items():
        assert torch.equal(buffer, before[name]), name
