"""From a ResNet's tensors to an IterativeResNet, and the account of every key."""

from __future__ import annotations

import pytest
import torch

from iterbackbone.warm_start.conversion import METHODS, KeyUse, check_depth, convert, recalibrate
from iterbackbone.warm_start.layouts import read_resnet
from tests.support.resnets import layers, make_iterative, narrow_resnet


@torch.no_grad()
@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('cifar', [True, False])
def test_a_resnet_that_is_iterative_computes_the_same(method, cifar):
    """Norms differ between the blocks, so each must arrive in its own iteration."""
    net = narrow_resnet(cifar)
    make_iterative(net)
    images = torch.randn(2, 3, 32, 32)
    network = convert(read_resnet(net.state_dict()), method).network.eval()
    for stage in network.stages:  # all weight on the last state
        stage.blocks[0].halting.fc2.bias.fill_(-30.0)
    for ours, theirs in zip(network(images), net(images), strict=True):
        torch.testing.assert_close(ours / theirs.std(), theirs / theirs.std(), atol=1e-4, rtol=1e-4)
    assert network.iterations().tolist() == [[3, 4, 6, 3]] * 2


@torch.no_grad()
def test_without_the_last_relu_a_negative_residual_stays():
    net = narrow_resnet(cifar=True)
    make_iterative(net)
    for block in list(net.layer3)[1:]:
        block.bn3.bias -= 3.0  # below the ReLU's zero
    state = read_resnet(net.state_dict())
    outputs = []
    for last_relu in (True, False):
        network = convert(state, last_relu=last_relu).network.eval()
        block = network.stages[2].blocks[0]
        assert block.last_relu is last_relu
        outputs.append(block.residual(torch.randn(1, block.conv1.in_channels, 4, 4), 1))
    assert outputs[0].min() == 0
    assert outputs[1].min() < 0


def test_where_everything_goes():
    net = narrow_resnet(cifar=True)
    state = convert(read_resnet(net.state_dict()), 'first').network.state_dict()
    same = {
        'stem.conv.weight': net.conv1.weight,
        'stem.norm.running_mean': net.bn1.running_mean,
        'stages.1.transition.conv.weight': net.layer2[0].downsample[0].weight,
        'stages.1.transition.norm.bias': net.layer2[0].downsample[1].bias,
        'stages.2.blocks.0.conv3.weight': net.layer3[1].conv3.weight,
        'stages.2.blocks.0.norm1.0.weight': net.layer3[0].bn1.weight,
        'stages.2.blocks.0.norm3.5.running_var': net.layer3[5].bn3.running_var,
        'stages.3.blocks.0.norm2.2.num_batches_tracked': torch.tensor(7),
    }
    assert all(torch.equal(state[key], tensor) for key, tensor in same.items())


def test_every_key_is_accounted_for():
    use = 'averaged'
    net = narrow_resnet(cifar=True)
    state = {'backbone.' + k: v for k, v in net.state_dict().items()} | {'fc.bias': torch.zeros(2)}
    conversion = convert(read_resnet(state), 'mean')
    assert [each.source for each in conversion.uses] == list(state)
    by_source = {each.source: each for each in conversion.uses}
    target = 'stages.0.blocks.0.conv2.weight'
    for i in (1, 2):
        key = f'backbone.layer1.{i}.conv2.weight'
        assert by_source[key] == KeyUse(key, use, target)
    for key in ('backbone.layer1.0.conv2.weight', 'fc.bias'):
        assert by_source[key] == KeyUse(key, 'dropped', None)
    # 16 blocks; the first of each stage has 3 kernels that no iteration can use.
    uses = [each.use for each in conversion.uses]
    assert (uses.count(use), uses.count('dropped')) == (12 * 3, 4 * 3 + 1)
    reached = {each.target for each in conversion.uses if each.target}
    keys = set(conversion.network.state_dict())
    assert reached | set(conversion.initial) == keys
    assert {key.split('.')[4] for key in conversion.initial} == {'halting'}


def test_first_and_mean():
    net = narrow_resnet(cifar=True)
    resnet, key = read_resnet(net.state_dict()), 'stages.1.blocks.0.conv2.weight'
    first, mean = (convert(resnet, method).network.state_dict()[key] for method in METHODS)
    a, b, c = (block.conv2.weight for block in layers(net)[1][1:])
    assert torch.equal(first, a)
    torch.testing.assert_close(mean, (a + b + c) / 3)


def test_a_stage_without_identity_block_is_refused():
    resnet = read_resnet(narrow_resnet().state_dict())._replace(blocks=(3, 1, 6, 3))
    with pytest.raises(
        ValueError, match=r'every stage must have at least 2 blocks, got \(3, 1, 6, 3\)'
    ):
        convert(resnet)


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match=r"method must be one of .* got 'median'"):
        convert(read_resnet(narrow_resnet().state_dict()), 'median')


def test_first_uses_one_block_and_drops_the_others():
    uses = convert(read_resnet(narrow_resnet().state_dict()), 'first').uses
    by_source = {each.source: each for each in uses}
    assert by_source['layer3.1.conv1.weight'][1:] == ('used', 'stages.2.blocks.0.conv1.weight')
    assert by_source['layer3.2.conv1.weight'][1:] == ('dropped', None)


def test_converted_statistics_count_as_trained():
    """Where the checkpoint does not count batches evaluation must still not cap iterations."""
    state = {k: v for k, v in narrow_resnet().state_dict().items() if 'num_batches' not in k}
    network = convert(read_resnet(state)).network
    counts = [v.item() for k, v in network.state_dict().items() if 'num_batches' in k]
    assert counts == [1] * (1 + 4 + 3 * 16)


def test_recalibration_measures_the_statistics():
    net = narrow_resnet(cifar=True)
    state = {'a.' + k: v for k, v in net.state_dict().items()}
    images = [torch.randn(4, 3, 32, 32) * 3 + 1 for _ in range(3)]
    before = convert(read_resnet(state), 'mean')
    after = recalibrate(before, images)
    norm = after.network.stem.norm
    with torch.no_grad():
        outputs = [net.conv1(x) for x in images]
    mean = torch.stack([x.mean(dim=(0, 2, 3)) for x in outputs]).mean(dim=0)
    variance = torch.stack([x.var(dim=(0, 2, 3)) for x in outputs]).mean(dim=0)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, variance)
    assert torch.equal(norm.weight, net.bn1.weight)
    assert norm.momentum == 0.1
    last = after.network.stages[2].blocks[0].norm3[5]  # full depth: reached by every batch
    assert last.num_batches_tracked == 3
    assert not after.network.stages[0].blocks[0].halting.held
    uses = {each.source: each.use for each in after.uses}
    assert uses['a.bn1.running_var'] == uses['a.layer1.1.bn1.num_batches_tracked'] == 'dropped'
    assert uses['a.bn1.weight'] == 'used'


def test_a_wrong_depth_names_both():
    resnet = read_resnet(narrow_resnet().state_dict())
    check_depth(resnet, 50)
    with pytest.raises(ValueError, match=r'depth 152 .* \(3, 8, 36, 3\), .* of \(3, 4, 6, 3\) blocks'):
        check_depth(resnet, 152)
    with pytest.raises(ValueError, match='depth must be one of'):
        check_depth(resnet, 18)


def test_statistics_need_images():
    before = convert(read_resnet(narrow_resnet(True).state_dict()))
    mean = before.network.stem.norm.running_mean.clone()
    with pytest.raises(ValueError, match='batches must hold at least one'):
        recalibrate(before, iter(()))
    assert torch.equal(before.network.stem.norm.running_mean, mean)
