"""IterativeResLayer: one stage on regions of interest."""

from __future__ import annotations

import pytest
import torch

from tests.support.networks import (
    blocks,
    images,
    loss_of,
    relative_error,
    statistics,
    tiny_layer,
    tiny_net,
    varied,
)

from .reference import run_block


def test_state_dict_is_the_backbones_last_stage():
    net = tiny_net(max_iterations=(2, 3, 5, 4))
    layer = tiny_layer()
    expected = {k: v.shape for k, v in net.state_dict().items() if k.startswith('stages.3.')}
    assert {k: v.shape for k, v in layer.state_dict().items()} == expected
    result = layer.load_state_dict(net.state_dict(), strict=False)
    assert result.missing_keys == []
    assert result.unexpected_keys == [k for k in net.state_dict() if not k.startswith('stages.3.')]


@pytest.mark.parametrize('execution', ['active', 'masked'])
def test_computes_what_the_backbones_last_stage_computes(execution):
    x = images(8)
    net = varied(tiny_net(max_iterations=(2, 3, 5, 4)), x).eval()
    features = net(x)
    layer = tiny_layer(execution=execution).eval()
    layer.load_state_dict(net.state_dict(), strict=False)
    assert relative_error(layer(features[2]), features[3]) < 1e-5
    assert torch.equal(layer.iterations()[:, 0], net.iterations()[:, 3])
    torch.testing.assert_close(layer.ponder_cost(), net.trace.ponder_cost[:, 3])


@pytest.mark.parametrize('execution', ['active', 'masked'])
def test_each_region_halts_on_its_own(execution):
    x = images(10, 14, 14, channels=32)
    layer = varied(tiny_layer(execution=execution), x).eval()
    y = layer(x)
    (block,) = blocks(layer)
    transition = layer.stages['3'].transition
    assert len(layer.iterations().unique()) > 1
    for row in range(10):
        start = transition.norm(transition.conv(x[row : row + 1])).relu()
        output, n, cost = run_block(block, start, layer.epsilon)
        assert relative_error(y[row], output[0]) < 1e-5
        assert layer.iterations()[row].item() == n
        assert layer.ponder_cost()[row].item() == pytest.approx(cost.item(), abs=1e-5)


@pytest.mark.parametrize(
    ('options', 'size', 'expected'),
    [
        ({}, (14, 14), (5, 64, 7, 7)),
        ({}, (13, 7), (5, 64, 7, 4)),
        ({'stride': 1, 'dilation': 2}, (7, 7), (5, 64, 7, 7)),
        ({'expansion': 4}, (14, 14), (5, 128, 7, 7)),
        ({'stage': 1}, (14, 14), (5, 16, 7, 7)),
    ],
)
def test_output_size(options, size, expected):
    layer = tiny_layer(**options).eval()
    in_channels = expected[1] // 2
    y = layer(images(5, *size, channels=in_channels))
    assert tuple(y.shape) == expected
    assert layer.iterations().tolist() == [[4]] * 5
    assert layer.trace.input_size == size


@pytest.mark.parametrize(
    ('depth', 'stage', 'length'), [(152, 3, 3), (152, 2, 36), (50, 2, 6), (101, 1, 4)]
)
def test_depth_and_stage_set_the_iterations(depth, stage, length):
    layer = tiny_layer(depth=depth, stage=stage, max_iterations=None)
    assert layer.max_iterations == (length,)
    assert all(key.startswith(f'stages.{stage}.') for key in layer.state_dict())


def test_training_step():
    x = images(6, 14, 14, channels=32).requires_grad_()
    layer = tiny_layer(blocks_per_stage=2).train()
    before = statistics(layer)
    y = layer(x)
    assert layer.iterations().tolist() == [[4, 4]] * 6
    loss_of(layer, (y,)).backward()
    assert x.grad.count_nonzero() > 0
    assert all(p.grad is not None for p in layer.parameters())
    assert all(not torch.equal(b, before[name]) for name, b in statistics(layer).items())


@pytest.mark.parametrize('toggled', [True, False], ids=['train()', 'as built'])
def test_norm_eval(toggled):
    layer = tiny_layer(norm_eval=True)
    layer = layer.eval().train() if toggled else layer
    before = statistics(layer)
    layer(images(3, channels=32))
    assert all(torch.equal(buffer, before[name]) for name, buffer in statistics(layer).items())


def test_holding_and_recording():
    x = images(8, 14, 14, channels=32)
    layer = varied(tiny_layer(), x).eval()
    layer.record_scores()
    layer(x)
    assert layer.iterations().min() < 4
    layer.hold_halting()
    layer(x)
    assert layer.iterations().tolist() == [[4]] * 8
    assert layer.trace.scores[0][:, 3].tolist() == [1.0] * 8
    assert len(layer.trace.scores[0][:, :3].unique()) == 1
