"""The inference form computes what the network computes, and leaves it as it was."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from iterbackbone.inference import network_form, update
from iterbackbone.inference.loop import run_form
from tests.support.networks import blocks, stop_at_once, tiny_layer, tiny_net, varied

NEAR = 1e-5  # of the threshold, where rounding may decide


def read_late(run, x, limit, settings, late):
    assert not late  # no GPU here
    return run_form(run, x, limit, settings, late=True)


def both(net, x):
    """Features, trace and scores of the plain and of the inference form."""
    net.record_scores()
    found = []
    with torch.inference_mode():
        for enabled in (False, True):
            net.optimize_for_inference(enabled)
            features = net(x.clone())
            found.append((features if isinstance(features, tuple) else (features,), net.trace))
    return found


def near_threshold(trace, threshold=0.99):
    """(B,) whether any cumulative score comes close to the threshold."""
    near = torch.zeros(len(trace.iterations), dtype=torch.bool)
    for scores in trace.scores:
        near |= ((scores.cumsum(dim=1) - threshold).abs() < NEAR).any(dim=1)
    return near


def assert_same(plain, form, rows=None):
    for expected, found in zip(plain, form, strict=True):
        if rows is not None:
            expected, found = expected[rows], found[rows]
        assert found.shape == expected.shape
        if expected.numel():
            assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


@given(
    rows=st.integers(0, 5),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    options=st.fixed_dictionaries(
        {},
        optional={
            'depthwise': st.booleans(),
            'blocks_per_stage': st.just(2),
            'expansion': st.integers(1, 4),
            'stem': st.sampled_from(['imagenet', 'cifar']),
            'dilations': st.just((1, 1, 2, 1)),
            'strides': st.just((1, 2, 2, 1)),
            'halting': st.just({'layer_norm': True}),
        },
    ),
    caps=st.none() | st.integers(1, 5),
    strip=st.sampled_from([1, 300, 4000, 1 << 20]),
)
def test_features_iterations_and_scores_agree(rows, height, width, options, caps, strip):
    before, update.STRIP = update.STRIP, strip
    try:
        net = varied(tiny_net(**options).eval(), torch.randn(8, 3, 32, 32))
        net.set_budget(max_iterations=caps)
        (plain, trace), (form, form_trace) = both(net, torch.randn(rows, 3, height, width))
    finally:
        update.STRIP = before
    sure = ~near_threshold(trace)
    assert torch.equal(form_trace.iterations[sure], trace.iterations[sure])
    assert torch.equal(form_trace.executed, form_trace.iterations)
    torch.testing.assert_close(form_trace.ponder_cost[sure], trace.ponder_cost[sure], atol=1e-4, rtol=0)
    for found, expected in zip(form_trace.scores, trace.scores, strict=True):
        torch.testing.assert_close(found[sure], expected[sure], atol=1e-4, rtol=0, equal_nan=True)
    assert form_trace.limits == trace.limits
    assert_same(plain, form, sure)


def test_a_thousand_images_halt_alike():
    x = torch.randn(1000, 3, 16, 16)
    (plain, trace), (form, form_trace) = both(varied(tiny_net().eval(), x[:50]), x)
    assert len(trace.iterations.unique(dim=0)) > 10
    same = (trace.iterations == form_trace.iterations).all(dim=1)
    assert same.float().mean() >= 0.999
    assert same[~near_threshold(trace)].all()
    assert_same(plain, form, same)


@given(rows=st.integers(0, 9), caps=st.none() | st.integers(1, 5))
def test_reading_ahead_changes_no_result(rows, caps):
    """What runs on GPUs, here without one."""
    net = varied(tiny_net().eval(), torch.randn(16, 3, 16, 16))
    net.set_budget(max_iterations=caps)
    x = torch.randn(rows, 3, 16, 16)
    _, (form, trace) = both(net, x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_form, 'run_form', read_late)
        ahead, late = net(x), net.trace
    assert_same(form, ahead)
    assert torch.equal(late.iterations, trace.iterations)
    torch.testing.assert_close(late.ponder_cost, trace.ponder_cost)
    assert all(
        torch.equal(a.isnan(), b.isnan()) for a, b in zip(late.scores, trace.scores, strict=True)
    )
    limits = torch.tensor(late.limits)
    assert (late.executed >= late.iterations).all()
    assert (late.executed <= limits).all()
    if rows:
        longest = trace.iterations.amax(dim=0)
        assert torch.equal(late.executed.amax(dim=0), torch.minimum(longest + 1, limits))


def test_the_roi_layer_has_a_form_too():
    x = torch.randn(9, 32, 14, 14)
    (plain, trace), (form, form_trace) = both(varied(tiny_layer().eval(), x), x)
    assert len(trace.iterations.unique()) > 1
    assert torch.equal(trace.iterations, form_trace.iterations)
    assert_same(plain, form)


@pytest.fixture
def net():
    return varied(tiny_net().eval(), torch.randn(8, 3, 32, 32))


X = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_state_dict_and_input_stay(net):
    before = {key: value.clone() for key, value in net.state_dict().items()}
    x = X.clone()
    net.optimize_for_inference()
    first, second = net(x), net(x)
    assert torch.equal(x, X)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    after = net.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_training_ends_it(net):
    plain = net(X)
    net.optimize_for_inference().train()
    assert net(X)[-1].requires_grad
    net.load_state_dict(net.state_dict())
    net.eval()
    found = net.optimize_for_inference()(X)
    assert not found[-1].requires_grad
    net.optimize_for_inference(False)
    assert not any(torch.equal(a, b) for a, b in zip(net(X), plain, strict=True))  # trained once
    assert net(X)[-1].requires_grad


def test_other_weights_are_noticed(net):
    other = varied(tiny_net().eval(), torch.randn(8, 3, 32, 32))
    expected = other(X)
    net.optimize_for_inference().load_state_dict(other.state_dict())
    assert_same(expected, net(X))


def test_another_type_is_noticed(net):
    expected = net.double()(X.double())
    found = net.float().optimize_for_inference().double()(X.double())
    assert found[0].dtype == torch.float64
    assert_same(expected, found)


@pytest.mark.parametrize('again', [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_have_the_form_and_weights_of_their_own(net, again):
    expected = net.optimize_for_inference()(X)
    copied = again(net)
    nn.init.zeros_(net.stages[0].blocks[0].conv1.weight)
    assert all(torch.equal(a, b) for a, b in zip(copied(X), expected, strict=True))


def load(net):
    net.stages[2].load_state_dict(varied(tiny_net(), X).stages[2].state_dict())


@torch.no_grad()
def edit_in_place(net):
    for norm in net.stages[2].blocks[0].norm2:
        norm.running_var.mul_(4.0)


def write_by_data(net):
    """As averaged weights are swapped in; tensors do not count such a write."""
    for p in net.stages[1].parameters():
        p.data.copy_(1.5 * p.data)


def step(net):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    for p in net.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()


def assign(net):
    state = {key: 1.5 * value for key, value in net.stages[3].state_dict().items()}
    net.stages[3].load_state_dict(state, assign=True)


def replace_a_norm(net):
    net.stages[2].blocks[0].norm3[1] = nn.BatchNorm2d(32).eval()


def other_eps(net):
    net.stages[2].blocks[0].norm1[0].eps = 3.0


def other_type(net):
    net.stem.double()
    net.stages.to(torch.float64)


CHANGES = [load, edit_in_place, write_by_data, step, assign, replace_a_norm, other_eps, other_type]


@pytest.mark.parametrize('change', CHANGES)
def test_every_change_of_weights_counts(net, change):
    net.optimize_for_inference()
    before = net(X)
    change(net)
    x = X.to(net.stem.conv.weight.dtype)
    found = net(x)
    expected = net.optimize_for_inference(False)(x)
    assert_same(expected, found)
    assert change is other_type or (expected[-1] - before[-1]).abs().max() > 0.01
    assert found[-1].dtype == expected[-1].dtype


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


@pytest.mark.parametrize('half', [True, False], ids=['half', 'autocast'])
@pytest.mark.parametrize('gamma', [1e-6, -1e-9, 0.0])
def test_a_gamma_near_zero_in_float16(net, gamma, half):
    with torch.no_grad():
        for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
            norm.weight[0], norm.bias[0] = gamma, 0.5
    wanted = net(X)
    x = X.half() if half else X
    with torch.autocast('cpu', torch.float16, enabled=not half):
        (plain, trace), (form, form_trace) = both(net.half() if half else net, x)
    assert torch.equal(form_trace.iterations, trace.iterations)
    assert len(trace.iterations.unique()) > 1
    for found, same, expected in zip(form, plain, wanted, strict=True):
        assert found.dtype == torch.float16
        assert (found - same).abs().max() <= 0.01 * same.abs().max()
        assert (found - expected).abs().max() <= 0.02 * expected.abs().max()


@pytest.mark.parametrize('where', ['norm1', 'norm3'])
def test_a_surplus_iteration_that_overflows_leaves_no_trace(net, where, monkeypatch):
    """In float16, in a norm of the iteration that is queued before the last one is known to be."""
    net = stop_at_once(net).half()
    with torch.no_grad():
        for block in blocks(net):
            getattr(block, where)[1].weight.fill_(6e4)
            getattr(block, where)[1].bias.fill_(6e4)
    expected, x = net(X.half()), X.half()
    monkeypatch.setattr(network_form, 'run_form', read_late)
    found = net.optimize_for_inference()(x)
    assert net.trace.iterations.unique().tolist() == [1]
    assert net.trace.executed.unique().tolist() == [2]
    for one, other in zip(found, expected, strict=True):
        assert other.isfinite().all()
        assert (one - other).abs().max() <= 0.01 * other.abs().max()


def test_bfloat16_under_autocast(net):
    with torch.autocast('cpu', torch.bfloat16):
        (plain, _), (form, _) = both(net.eval(), X)
    assert form[0].dtype == torch.bfloat16
    for expected, found in zip(plain[:2], form[:2], strict=True):
        assert (found - expected).abs().float().mean() <= 0.02 * expected.abs().float().mean()


def test_bad_calls_are_refused(net):
    with pytest.raises(RuntimeError, match=r'needs evaluation mode: call eval\(\) first'):
        net.train().optimize_for_inference()
    with pytest.raises(TypeError, match='enabled'):
        net.eval().optimize_for_inference('yes')
    with pytest.raises(ValueError, match=r"needs execution\['eval'\] == 'active', got 'masked'"):
        tiny_net(execution='masked').eval().optimize_for_inference()
    group = tiny_net(norm_layer=lambda channels: nn.GroupNorm(2, channels)).eval()
    expected = group(X)
    with pytest.raises(ValueError, match='need BatchNorms with running statistics, got GroupNorm'):
        group.optimize_for_inference()
    assert all(torch.equal(a, b) for a, b in zip(group(X), expected, strict=True))
