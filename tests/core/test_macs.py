"""MACs: against torch's own counter, against a closed form and against the published table."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from iterbackbone import IterativeResNet
from iterbackbone.core.macs import mac_table
from tests.support.networks import images, tiny_layer, tiny_net, varied

LENGTHS = (3, 8, 36, 3)
# stem, options, parameters in millions, GMACs at one iteration everywhere and at all of them
TABLE = {
    'cifar e=4': ('cifar', {}, 9.33, 0.40, 3.69),
    'cifar e=3': ('cifar', {'expansion': 3}, 7.28, 0.32, 3.22),
    'cifar e=2': ('cifar', {'expansion': 2}, 5.57, 0.25, 2.76),
    'cifar e=1': ('cifar', {'expansion': 1}, 4.20, 0.20, 2.32),
    'cifar depthwise e=4': ('cifar', {'depthwise': True}, 6.58, 0.27, 2.02),
    'cifar depthwise e=1': ('cifar', {'depthwise': True, 'expansion': 1}, 1.45, 0.06, 0.65),
    'imagenet e=4': ('imagenet', {}, 9.34, 1.35, 11.40),
    'imagenet e=2': ('imagenet', {'expansion': 2}, 5.58, 0.89, 8.57),
    'imagenet double': ('imagenet', {'blocks_per_stage': 2}, 15.89, 2.23, 22.33),
}
SIZES = {'cifar': (32, 32), 'imagenet': (224, 224)}
rows = pytest.mark.parametrize('row', TABLE)


def expected_counts(stem, expansion=4, depthwise=False, blocks_per_stage=1, lengths=LENGTHS):
    """(parameters, MACs at one iteration, MACs at all) from the architecture alone."""
    taps, size = (9, 32) if stem == 'cifar' else (49, 112)
    parameters = 3 * 64 * taps + 2 * 64
    lowest = 3 * 64 * taps * size**2
    size = 32 if stem == 'cifar' else 56
    highest, channels = lowest, 64
    for k, length in enumerate(lengths):
        n, c = 64 * 2**k, 64 * 2**k * expansion
        size //= 1 if k == 0 else 2
        spatial = 9 * n + n * n if depthwise else 9 * n * n
        weights, unit = c * n + spatial + n * c, 2 * c * 64 + 64
        norms = 2 * (n + n + c) + (2 * n if depthwise else 0)
        parameters += channels * c + 2 * c
        parameters += blocks_per_stage * (weights + length * norms + unit + 64 + 1)
        lowest += size**2 * (channels * c + blocks_per_stage * weights)
        highest += size**2 * (channels * c + blocks_per_stage * length * weights)
        highest += blocks_per_stage * (length - 1) * unit
        channels = c
    return parameters, lowest, highest


def counted(net, x) -> int:
    """MACs that torch counts in one call."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(x)
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2


@rows
def test_parameters_of_the_published_table(row):
    stem, options, millions, _, _ = TABLE[row]
    with torch.device('meta'):
        net = IterativeResNet(stem=stem, **options)
    parameters = sum(p.numel() for p in net.parameters())
    assert parameters == expected_counts(stem, **options)[0]
    assert round(parameters / 1e6, 2) == millions
    assert net.max_iterations == tuple(
        n for n in LENGTHS for _ in range(options.get('blocks_per_stage', 1))
    )


@rows
def test_macs_of_the_published_table(row):
    stem, options, _, lowest, highest = TABLE[row]
    with torch.device('meta'):
        table = mac_table(IterativeResNet(stem=stem, **options), SIZES[stem])
    assert (table.lowest, table.highest) == expected_counts(stem, **options)[1:]
    for macs, printed in ((table.lowest, lowest), (table.highest, highest)):  # two decimals
        assert macs / 1e9 == pytest.approx(printed, rel=0.005, abs=0.005)


@pytest.mark.parametrize('row', ['cifar e=4', 'cifar depthwise e=1', 'imagenet e=4'])
def test_full_networks_against_the_counter(row):
    stem, options, _, _, _ = TABLE[row]
    net = IterativeResNet(stem=stem, **options).eval()
    table = mac_table(net, SIZES[stem])
    x = torch.rand(1, 3, *SIZES[stem])
    assert counted(net, x) == table.highest
    assert net.iterations().tolist() == [list(LENGTHS)]
    net.set_budget(max_iterations=1)
    assert counted(net, x) == table.lowest
    assert net.iterations().tolist() == [[1, 1, 1, 1]]


@pytest.mark.parametrize('execution', ['active', 'masked'])
@pytest.mark.parametrize(
    'options',
    [
        {},
        {'depthwise': True, 'blocks_per_stage': 2},
        {'stem': 'imagenet', 'strides': (1, 2, 1, 1), 'dilations': (1, 1, 2, 4)},
        {'halting': {'hidden': 10}, 'in_channels': 5, 'num_stages': 3, 'max_iterations': (3, 1, 4)},
    ],
)
def test_halted_runs_against_the_counter(options, execution):
    x = images(6, 33, 47, channels=options.get('in_channels', 3))
    net = varied(tiny_net(execution=execution, **options), x).eval()
    table = mac_table(net, (33, 47))
    totals = []
    for image in x:
        macs = counted(net, image[None])
        assert macs == table.total(net.iterations()[0].tolist())
        totals.append(macs)
    assert len(set(totals)) > 2
    assert table.lowest < min(totals) < table.highest
    macs = counted(net, x)
    assert macs == sum(table.total(row) for row in net.trace.executed.tolist())
    assert macs == sum(totals) if execution == 'active' else macs > sum(totals)


@pytest.mark.parametrize(
    'budget', [{'max_iterations': 3}, {'max_iterations': (1, 2, 4, 2)}, {'halting_threshold': 0.4}]
)
def test_budgeted_runs_against_the_counter(budget):
    x = images(4)
    net = varied(tiny_net(), x).eval()
    table = mac_table(net, (32, 32))
    net.set_budget(**budget)
    for image in x:
        macs = counted(net, image[None])
        assert macs == table.total(net.iterations()[0].tolist(), limits=net.trace.limits)
        assert macs < table.highest


@pytest.mark.parametrize('stride', [1, 2])
def test_roi_layer_against_the_counter(stride):
    x = images(6, 15, 14, channels=32)
    layer = varied(tiny_layer(stride=stride), x).eval()
    table = mac_table(layer, (15, 14))
    assert counted(layer, x) == sum(table.total(row) for row in layer.iterations().tolist())
    assert len(layer.iterations().unique()) > 1
    layer.set_budget(max_iterations=1)
    assert counted(layer, x[:1]) == table.lowest


def test_fields():
    net = tiny_net(num_stages=2, max_iterations=(3, 1), blocks_per_stage=2)
    table = mac_table(net, (8, 6))
    first, second = 8 * 4 + 9 * 16 + 4 * 8, 16 * 8 + 9 * 64 + 8 * 16
    assert table.input_size == (8, 6)
    assert table.fixed == 48 * (3 * 4 * 9 + 4 * 8) + 12 * 8 * 16
    assert table.per_iteration == (48 * first, 48 * first, 12 * second, 12 * second)
    assert table.per_score == (16 * 64 + 64, 16 * 64 + 64, 0, 0)
    assert table.max_iterations == (3, 3, 1, 1)
    with pytest.raises(ValueError, match='argument'):
        table.total((1, 1, 1))


@pytest.mark.parametrize('depthwise', [False, True])
def test_sharded_weights_cost_the_same(depthwise):
    """FSDP leaves some processes with empty parameters between forward passes."""
    net = tiny_net(depthwise=depthwise)
    before = mac_table(net, (32, 32))
    for parameter in net.parameters():
        parameter.data = parameter.data.new_empty(0)
    assert mac_table(net, (32, 32)) == before
