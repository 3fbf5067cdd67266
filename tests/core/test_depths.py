"""Rows stopped from outside, and the depths drawn for them."""

from __future__ import annotations

import pytest
import torch

from iterbackbone.core.depths import draw_depths
from tests.core.reference import residual
from tests.support.networks import images, loss_of, relative_error, tiny_layer, tiny_net, varied

DEPTHS = torch.tensor([[1, 1, 1, 1], [2, 3, 5, 2], [1, 3, 2, 2], [2, 1, 4, 1]])


def state_after(net, image, depths):
    """Features of each stage for one image: the plain state after so many iterations."""
    x = net.pool(torch.relu(net.stem.norm(net.stem.conv(image))))
    features = []
    for stage, depth in zip(net.stages, depths, strict=True):
        x = torch.relu(stage.transition.norm(stage.transition.conv(x)))
        for i in range(depth):
            x = x + residual(stage.blocks[0], x, i)
        features.append(x)
    return features


@torch.no_grad()
@pytest.mark.parametrize('execution', ['active', 'masked'])
@pytest.mark.parametrize('options', [{}, {'last_relu': False, 'last_gamma': 0.1}, {'depthwise': True}])
def test_a_row_ends_with_the_state_of_its_depth(execution, options):
    x = images(4)
    net = varied(tiny_net(execution=execution, **options), x).eval()
    net.force_depths(DEPTHS)
    features = net(x)
    assert torch.equal(net.iterations(), DEPTHS)
    assert torch.equal(net.trace.ponder_cost, DEPTHS + 1.0)  # R is still 1
    for row in range(4):
        wanted = state_after(net, x[row : row + 1], DEPTHS[row].tolist())
        for found, state in zip(features, wanted, strict=True):
            assert relative_error(found[row], state[0]) <= 1e-5


def test_limits_hold_and_none_restores_the_scores():
    x = images(4)
    net = varied(tiny_net(), x).eval()
    net(x)
    by_scores = net.iterations()
    net.force_depths(DEPTHS + 7)
    net.set_budget(max_iterations=2)
    net(x)
    assert net.iterations().tolist() == [[2, 2, 2, 2]] * 4
    net.set_budget()
    net.force_depths(None)
    net(x)
    assert torch.equal(net.iterations(), by_scores)


def test_every_parameter_gets_a_gradient_and_halting_units_a_zero():
    """Also those of iterations that no row reaches: ranks must reduce the same set."""
    x = images(4)
    net = tiny_net().train()
    net.force_depths(torch.ones(4, 4, dtype=torch.int64))
    loss_of(net, net(x)).backward()
    assert all(p.grad is not None for p in net.parameters())
    units = [s.blocks[0].halting for s in net.stages]
    assert all(p.grad.abs().sum() == 0 for unit in units for p in unit.parameters())


@torch.no_grad()
def test_the_optimised_form_gives_way():
    x = images(4)
    net = varied(tiny_net(), x).eval()
    net.force_depths(DEPTHS)
    plain = net(x)[-1]
    net.optimize_for_inference()
    assert relative_error(net(x)[-1], plain) <= 1e-5
    assert torch.equal(net.iterations(), DEPTHS)


@torch.no_grad()
def test_a_roi_layer_without_rows():
    layer = tiny_layer().eval()
    layer.force_depths(torch.ones(0, 1, dtype=torch.int64))
    assert layer(torch.zeros(0, 32, 8, 8)).shape == (0, 64, 4, 4)


@pytest.mark.parametrize(
    ('depths', 'error', 'message'),
    [
        (torch.ones(4, 4), TypeError, 'int64'),
        ([[1, 1, 1, 1]], TypeError, 'int64'),
        (torch.ones(4, 3, dtype=torch.int64), ValueError, r'\(B, 4\), got \(4, 3\)'),
        (torch.zeros(4, 4, dtype=torch.int64), ValueError, 'at least 1, got 0'),
    ],
)
def test_bad_depths(depths, error, message):
    with pytest.raises(error, match=message):
        tiny_net().force_depths(depths)


def test_other_rows_than_depths():
    net = tiny_net().eval()
    net.force_depths(DEPTHS)
    with pytest.raises(ValueError, match='a row for each of 3, got 4'):
        net(images(3))


def test_frequencies_of_the_mixed_distribution():
    """15% run all, of the others 1/6 in the block of 6; half of the rows have one effort for all."""
    rows, limits = 40_000, (3, 6)
    depths = draw_depths(rows, limits, 'mixed', 0.15, torch.Generator().manual_seed(0))
    assert depths.min() == 1
    assert depths.max(dim=0).values.tolist() == [3, 6]
    counts = torch.bincount(depths[:, 1], minlength=7)[1:] / rows
    wanted = torch.full((6,), 0.85 / 6)
    wanted[5] += 0.15
    torch.testing.assert_close(counts, wanted, atol=0.008, rtol=0)
    # Both full: 0.15 + 0.85 (1/2 * 1/6 + 1/2 * 1/18).
    both = (depths == torch.tensor(limits)).all(dim=1).float().mean()
    assert both == pytest.approx(0.15 + 0.85 * (1 / 12 + 1 / 36), abs=0.008)


def test_the_log_uniform_distribution():
    depths = draw_depths(20_000, (3, 36), 'log_uniform', 0.0, torch.Generator().manual_seed(0))
    assert (depths == 1).all(dim=1).float().mean() > 0.5
    # Where it is not one: 36^u above 6 with probability 1/2; 6.5 rounds to 6.
    share = 0.5 * (1 - torch.tensor(6.5).log() / torch.tensor(36.0).log())
    assert (depths[:, 1] > 6).float().mean() == pytest.approx(float(share), abs=0.012)


@pytest.mark.parametrize('distribution', ['mixed', 'log_uniform'])
def test_every_batch_has_nearly_the_same_numbers_of_rows_at_each_depth(distribution):
    """Independent rows would differ by 6 from draw to draw (one standard deviation)."""
    rows, generator = 128, torch.Generator().manual_seed(0)
    draws = [draw_depths(rows, (12,), distribution, 0.25, generator) for _ in range(50)]
    full = torch.tensor([int((depths == 12).sum()) for depths in draws])
    assert full.max() - full.min() <= 3
    assert len({tuple(depths[:, 0].tolist()) for depths in draws}) == 50


@pytest.mark.parametrize('rows', [0, 1, 2])
@pytest.mark.parametrize('full_share', [0.0, 0.5, 1.0])
def test_small_batches_have_the_same_distribution(rows, full_share):
    generator = torch.Generator().manual_seed(0)
    draws = [draw_depths(rows, (4, 2), 'mixed', full_share, generator) for _ in range(4000)]
    depths = torch.cat(draws).float()
    assert depths.shape == (4000 * rows, 2)
    if rows:
        wanted = torch.tensor([2.5, 1.5]) * (1 - full_share) + torch.tensor([4.0, 2.0]) * full_share
        torch.testing.assert_close(depths.mean(dim=0), wanted, atol=0.06, rtol=0)


def test_all_rows_run_all_iterations_at_a_share_of_1():
    """Also those whose place among very many rows is rounded up to 1."""
    generator = torch.Generator().manual_seed(31)
    depths = draw_depths(3_000_000, (4, 2), 'mixed', 1.0, generator)
    assert (depths == torch.tensor([4, 2])).all()
