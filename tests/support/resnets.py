"""Narrow ResNets, and a file that wants to run code, for the tests of the warm start."""

from __future__ import annotations

import os

import torch
from mmpretrain.models.backbones import ResNet, ResNet_CIFAR
from torch import nn

CONVS = ('conv1', 'conv2', 'conv3')


def narrow_resnet(cifar=False, width=4, **options):
    """mmpretrain's ResNet-50 of width 4 with trained-looking norms, in evaluation mode."""
    kind = ResNet_CIFAR if cifar else ResNet
    options = dict(out_indices=(0, 1, 2, 3), init_cfg=None) | options
    net = kind(50, stem_channels=width, base_channels=width, **options)
    for norm in batch_norms(net):
        norm.num_batches_tracked.fill_(7)
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
        nn.init.uniform_(norm.running_mean, -0.5, 0.5)
        nn.init.uniform_(norm.running_var, 0.5, 1.5)
    net.eval()  # mmpretrain returns None
    return net


def batch_norms(net):
    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


def layers(net):
    """Blocks of each stage; mmpretrain's own layers cannot be sliced."""
    return [list(layer) for layer in (net.layer1, net.layer2, net.layer3, net.layer4)]


@torch.no_grad()
def share_kernels(net):
    """Give all identity blocks of a stage the kernels of the last one."""
    for layer in layers(net):
        for block in layer[1:]:
            for conv in CONVS:
                getattr(block, conv).weight.copy_(getattr(layer[-1], conv).weight)


@torch.no_grad()
def make_iterative(net):
    """Change a ResNet into one that an IterativeResNet computes exactly.

    Shared kernels; residuals and transitions that a ReLU leaves alone; no residual in the first
    blocks, which read another input.
    """
    share_kernels(net)
    for layer in layers(net):
        layer[0].bn3.weight.zero_()
        layer[0].bn3.bias.zero_()
        positive = [(layer[0].downsample[0], layer[0].downsample[1])]
        positive += [(block.conv3, block.bn3) for block in layer[1:]]
        for conv, norm in positive:
            conv.weight.abs_()
            norm.bias.abs_()
            norm.running_mean.zero_()


class RunsCode:
    """Creates a file when a pickle of it is loaded without care."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch "{self.path}"',)


class Attribute:
    """Reaches for an attribute of what is allowed, as a HistoryBuffer in a checkpoint does."""

    def __reduce__(self):
        return getattr, (torch.Tensor, '__init__')
