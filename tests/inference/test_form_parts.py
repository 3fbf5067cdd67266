"""Parts that cannot be folded, are hooked or exchanged: the inference form runs them as built."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from tests.support.forms import X, assert_same
from tests.support.networks import tiny_net, varied


@pytest.mark.parametrize('part', ['stem', 'stages.3', 'stages.2.blocks.0.norm2'])
def test_a_part_in_training_mode_runs_as_built(net, part):
    built = copy.deepcopy(net)
    found = []
    for each in (built, net.optimize_for_inference()):
        each.get_submodule(part).train()
        found.append([each(X), each.state_dict()])
        each.get_submodule(part).eval()
        found[-1].append(each(X))
    (expected, state, later), (features, other_state, other_later) = found
    assert_same(expected, features)
    assert_same(later, other_later)
    for key, value in state.items():
        torch.testing.assert_close(other_state[key], value)
    assert features[3].requires_grad == (part == 'stages.3')


def prune_a_kernel(net):
    prune.l1_unstructured(net.stages[2].blocks[0].conv1, 'weight', 0.5)


def hook_a_kernel(net):
    net.stages[1].blocks[0].conv3.register_forward_hook(lambda _, args, output: 2 * output)


def hook_a_norm_before(net):
    net.stages[2].blocks[0].norm1[1].register_forward_pre_hook(lambda _, args: 2 * args[0])


def hook_a_transition(net):
    net.stages[2].transition.norm.register_forward_hook(lambda _, args, output: 2 * output)


def hook_the_halting(net):
    net.stages[2].blocks[0].halting.register_forward_hook(lambda _, args, score: 0.5 * score)


def hook_a_depthwise_convolution(net):
    net.stages[0].blocks[0].conv2.register_forward_hook(lambda _, args, output: -output)


def normalise_a_kernel(net):
    conv = net.stages[2].blocks[0].conv2
    parametrizations.spectral_norm(getattr(conv, 'depthwise', conv)).eval()


def parametrise_a_norm(net):
    parametrize.register_parametrization(net.stages[2].blocks[0].norm3[0], 'weight', nn.Softplus())


def replace_the_stem_by_one_with_a_bias(net):
    net.stem.conv = nn.Conv2d(3, net.stem.conv.out_channels, 3, padding=1).eval()
    nn.init.constant_(net.stem.conv.bias, 1.0)


def replace_a_kernel_by_more_than_one(net):
    conv = net.stages[2].blocks[0].conv1
    net.stages[2].blocks[0].conv1 = nn.Sequential(conv, nn.Tanh()).eval()


def exchange_a_method(net):
    conv = net.stages[2].blocks[0].conv3
    conv.forward = lambda x: 2 * nn.Conv2d.forward(conv, x)


class ClippedNorm(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x).clamp(-0.5, 0.5)


def replace_by_a_norm_of_another_class(net):
    old = net.stages[2].blocks[0].norm2[0]
    new = net.stages[2].blocks[0].norm2[0] = ClippedNorm(old.num_features).eval()
    new.load_state_dict(old.state_dict())


def replace_by_a_norm_that_cannot_be_folded(net):
    net.stages[0].blocks[0].norm1[0] = nn.GroupNorm(2, 4).eval()


FOLDED = [normalise_a_kernel, parametrise_a_norm]
NOT_FOLDED = [
    prune_a_kernel,
    hook_a_kernel,
    hook_a_norm_before,
    hook_a_transition,
    hook_the_halting,
    replace_the_stem_by_one_with_a_bias,
    replace_a_kernel_by_more_than_one,
    exchange_a_method,
    replace_by_a_norm_of_another_class,
    replace_by_a_norm_that_cannot_be_folded,
]
PARTS = [
    *((change, False) for change in FOLDED + NOT_FOLDED),
    *((change, True) for change in (hook_a_depthwise_convolution, normalise_a_kernel)),
]


@pytest.mark.parametrize(('change', 'depthwise'), PARTS)
def test_what_is_put_on_a_part_later_counts(change, depthwise):
    net = varied(tiny_net(depthwise=depthwise).eval(), torch.randn(8, 3, 32, 32))
    net.optimize_for_inference()
    before = net(X)
    torch.manual_seed(0)
    change(net)
    found, iterations = net(X), net.trace.iterations
    expected = net.optimize_for_inference(False)(X)
    assert torch.equal(iterations, net.trace.iterations)
    assert_same(expected, found)
    assert (expected[-1] - before[-1]).abs().max() > 1e-3


def test_what_was_put_on_a_part_before_is_named(net):
    hook_a_transition(net)
    prune_a_kernel(net)
    expected = net(X)
    with pytest.warns(UserWarning, match='built.*: stages.2.transition, stages.2.blocks.0$'):
        net.optimize_for_inference()
    assert_same(expected, net(X))


@pytest.mark.parametrize('part', ['stages.1.transition', 'stages.1.blocks.0'])
def test_what_a_hook_keeps_is_not_overwritten(part):
    """The state before the first iteration: the transition's output, or the block's before."""
    net, kept = varied(tiny_net(blocks_per_stage=2).eval(), torch.randn(8, 3, 32, 32)), []
    net.get_submodule(part).register_forward_hook(lambda module, args, output: kept.append(output))
    with torch.inference_mode():
        net(X)
        net.optimize_for_inference()(X)
    plain, form = (getattr(x, 'output', x) for x in kept)
    torch.testing.assert_close(form, plain, rtol=1e-4, atol=1e-4)


def test_a_hook_of_all_modules_keeps_what_it_sees(net):
    block, kept = net.stages[2].blocks[0], {}

    def keep(module, args):
        kept[module] = args[0] if args else None

    handle = nn.modules.module.register_module_forward_pre_hook(keep)
    try:
        with torch.inference_mode():
            net(X)
            plain = kept.pop(block)
            net.optimize_for_inference()(X)
    finally:
        handle.remove()
    torch.testing.assert_close(kept[block], plain, rtol=1e-4, atol=1e-4)
