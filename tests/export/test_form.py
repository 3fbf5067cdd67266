"""The export form: the same results as the network it was made from, whatever the budget."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.fx import GraphModule

from iterbackbone import IterativeResNet
from iterbackbone.core.macs import mac_table
from iterbackbone.export import ExportForm
from iterbackbone.export.form import reference
from tests.support.networks import images, relative_error, tiny_net, varied

KINDS = {
    'plain': {},
    'two blocks a stage': {'blocks_per_stage': 2},
    'depthwise': {'depthwise': True},
    'dilated': {'dilations': (1, 1, 2, 4), 'strides': (1, 2, 1, 1)},
    'imagenet stem': {'stem': 'imagenet'},
    'normalised input': {'halting': {'layer_norm': True}},
    'one iteration': {'max_iterations': (1, 3, 1, 2)},
    'two outputs': {'out_indices': (1, 3)},
}
BUDGETS = {
    'none': {},
    'cap': {'max_iterations': 2},
    'cap of each stage': {'max_iterations': (1, 3, 4, 1)},
    'threshold': {'halting_threshold': 0.5},
    'both': {'max_iterations': (2, 2, 3, 2), 'halting_threshold': 0.7},
}


def network(x, **options):
    return varied(tiny_net(**options), x).eval()


def test_a_comparison_keeps_what_the_user_records():
    net = network(images(2))
    net.record_scores()
    reference(ExportForm(net), images(2))
    assert net.scores_are_recorded


def inputs_of(max_iterations=None, halting_threshold=None):
    """A budget as inputs of the form."""
    caps = (max_iterations,) * 4 if isinstance(max_iterations, int) else max_iterations
    return [None if value is None else torch.tensor(value) for value in (caps, halting_threshold)]


def assert_same(found, wanted):
    for ours, theirs in zip(found, wanted, strict=True):
        assert relative_error(ours, theirs) <= 1e-5


@torch.no_grad()
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('budget', BUDGETS)
def test_does_what_the_network_does(kind, budget):
    x = images(6)
    net = network(x, **KINDS[kind])
    found = ExportForm(net)(x, *inputs_of(**BUDGETS[budget]))
    net(x)
    assert len(set(map(tuple, net.iterations().tolist()))) > 1  # else nothing is shown
    net.set_budget(**BUDGETS[budget])
    features = net(x)
    assert torch.equal(found.iterations, net.iterations())
    assert_same(found.features, features)


@torch.no_grad()
@pytest.mark.parametrize('fixed', [1, 2, 3, 9])
def test_a_fixed_number_is_a_budget_without_a_loop(fixed):
    x = images(6)
    net = network(x)
    form = ExportForm(net, fixed=fixed)
    found = form(x)
    net.set_budget(max_iterations=fixed)
    assert_same(found.features, net(x))
    assert torch.equal(found.iterations, net.iterations())
    assert form.limits == tuple(min(fixed, n) for n in net.max_iterations)
    # all are computed, whatever the images need
    assert found.macs == mac_table(net, (32, 32)).total(form.limits, form.limits)


@torch.no_grad()
def test_macs_are_those_of_the_longest_run():
    x = images(6, 40, 24)
    net = network(x)
    table = mac_table(net, (40, 24))
    for one in x.split(1):
        found = ExportForm(net)(one)
        assert found.macs == table.total(found.iterations[0].tolist())
    found = ExportForm(net)(x)
    assert found.macs == table.total(found.iterations.amax(dim=0).tolist())
    caps = (2, 2, 2, 2)
    capped = ExportForm(net)(x, torch.tensor(caps))
    assert capped.macs == table.total(capped.iterations.amax(dim=0).tolist(), limits=caps)


@torch.no_grad()
def test_budgets_outside_the_file_are_brought_inside():
    x = images(4)
    net = network(x)
    form = ExportForm(net)
    assert torch.equal(form(x, torch.tensor([99] * 4)).iterations, form(x).iterations)
    assert form(x, torch.tensor([0, -3, 1, 1])).iterations.eq(1).all()


@torch.no_grad()
def test_a_budget_of_the_network_is_the_highest_of_the_form():
    x = images(4)
    net = network(x)
    net.set_budget(max_iterations=(1, 2, 3, 1), halting_threshold=0.6)
    form = ExportForm(net)
    assert form.limits == (1, 2, 3, 1)
    assert form.threshold == 0.6
    assert torch.equal(form(x).iterations, (net(x), net.iterations())[1])


@torch.no_grad()
def test_iterations_that_were_never_trained_are_left_out():
    x = images(2)
    net = network(x)
    *trained, last = net.stages[2].blocks[0].norm1
    for norm in trained:
        norm.num_batches_tracked.fill_(1)
    last.reset_running_stats()
    with pytest.warns(UserWarning, match='stops at 4'):
        form = ExportForm(net)
    assert form.limits == (2, 3, 4, 2)
    assert form.blocks[2].norms[0].scale.shape[0] == 4


def test_only_small_kernels_are_scaled():
    form = ExportForm(IterativeResNet(max_iterations=(2, 2, 2, 2)).eval())
    assert [[norm.in_kernel for norm in block.norms] for block in form.blocks] == [
        [False, False, True],  # 64 inputs
        [False, False, True],
        [False, False, False],
        [False, False, False],
    ]


def test_norms_are_convolutions_for_onnx_only():
    """torch's own depthwise convolutions would take three times as long."""
    form = ExportForm(tiny_net(num_stages=2, max_iterations=(2, 3)).eval())
    program = torch.export.export(form, (torch.zeros(1, 3, 32, 32), torch.tensor(form.limits)))
    graphs = [part for part in program.graph_module.modules() if isinstance(part, GraphModule)]
    nodes = [node for graph in graphs for node in graph.graph.nodes]
    convolutions = [node for node in nodes if node.target is torch.ops.aten.conv2d.default]
    assert len(convolutions) == 3 + 2 * 3  # stem, transitions, three in each loop
    assert all(len(node.args) < 7 or node.args[6] == 1 for node in convolutions)


def test_shares_the_kernels():
    net = network(images(2))
    form = ExportForm(net)
    kernels = {p.data_ptr() for p in form.blocks.parameters()}
    assert kernels < {p.data_ptr() for p in net.parameters()}


def test_refusals_name_what_is_wrong():
    x = images(2)
    with pytest.raises(RuntimeError, match='needs a network in evaluation mode'):
        ExportForm(tiny_net())
    with pytest.raises(ValueError, match='fixed must be >= 1, got 0'):
        ExportForm(network(x), fixed=0)
    with pytest.raises(TypeError, match="fixed must be an int, got '3'"):
        ExportForm(network(x), fixed='3')
    groups = tiny_net(norm_layer=lambda channels: nn.GroupNorm(2, channels)).eval()
    with pytest.raises(ValueError, match='BatchNorms with running statistics, got GroupNorm'):
        ExportForm(groups)
    with pytest.raises(TypeError, match=r'network must be an IterativeResNet or .*, got GroupNorm'):
        ExportForm(nn.GroupNorm(2, 4))


@torch.no_grad()
def test_a_nan_halts_its_image_and_ends_the_loop():
    x = images(3)
    net = network(x)
    x[1] = torch.nan
    found = ExportForm(net)(x)
    net(x)
    assert torch.equal(found.iterations, net.iterations())
    assert found.iterations[1].eq(1).all()
    assert found.features[-1][[0, 2]].isfinite().all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_refused(dtype):
    with pytest.raises(ValueError, match=f'network must be of float32 or float64, got {dtype}'):
        ExportForm(network(images(2)).to(dtype))


@torch.no_grad()
def test_what_the_form_would_not_do_is_refused():
    x = images(2)
    changed = network(x)
    conv = changed.stages[1].transition.conv
    changed.stages[1].transition.conv = nn.Conv2d(conv.in_channels, conv.out_channels, 1, conv.stride)
    with pytest.raises(ValueError, match=r'network\.stages\.1\.transition must be as built'):
        ExportForm(changed)
    hooked = network(x)
    hooked.stages[0].blocks[0].norm1[0].register_forward_hook(lambda *_: None)
    with pytest.raises(ValueError, match=r'network\.stages\.0\.blocks\.0 must be as built'):
        ExportForm(hooked)
    forced = network(x)
    forced.force_depths(torch.ones(2, 4, dtype=torch.int64))
    with pytest.raises(ValueError, match='must have no forced depths'):
        ExportForm(forced)


@torch.no_grad()
def test_max_iterations_is_checked_and_changes_no_fixed_form():
    x = images(2)
    form = ExportForm(network(x))
    for wrong in (2, (1, 2, 2, 1), torch.tensor([1, 2])):
        with pytest.raises(ValueError, match='max_iterations must be a tensor of 4 numbers, got'):
            form(x, wrong)
    fixed = ExportForm(network(x), fixed=2)
    assert fixed(x, torch.ones(4, dtype=torch.int64)).macs == fixed(x).macs
