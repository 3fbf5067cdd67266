"""Fitting a real small network whose gains are planted: budgets are met, and adapting pays."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from iterbackbone.core.budget_table import Setting
from iterbackbone.core.macs import mac_table
from iterbackbone.fitting.halting import BlockRows, all_blocks, silence
from iterbackbone.fitting.procedure import fit_halting, folds_of, shares_between
from iterbackbone.fitting.static import Outcome
from tests.support.networks import tiny_net

LIMITS = (2, 4)


class PlantedRuns:
    """Bright images gain from the second stage's iterations, dark ones do not.

    The loss depends on what the network executed, so that caps, offsets and halting all count.
    """

    def __init__(self, net, images, pays=1.0, noise=0.05):
        self.modules, self.net, self.images = [net], net, images
        bright = (images.mean(dim=(1, 2, 3)) > 0).double()
        self.rate = pays * bright * 0.5
        generator = torch.Generator().manual_seed(1)
        self.noise = noise * torch.randn(len(images), generator=generator).double()
        self.table = mac_table(net, (8, 8))

    @torch.no_grad()
    def policy(self, setting):
        self.net.apply_setting(setting)
        self.net(self.images)
        iterations = self.net.iterations()
        losses = 3 - self.rate * (iterations[:, 1] - 1) + self.noise
        limits = self.net.trace.limits
        macs = [float(self.table.total(row, limits)) for row in iterations.tolist()]
        return Outcome(losses, torch.tensor(macs).double(), -losses)

    def losses(self, depths):
        return self.policy(Setting.static(depths))

    @torch.no_grad()
    def rows(self, block, depths):
        losses = torch.stack([self.losses(each).losses for each in depths], dim=1)
        self.net.apply_setting(Setting.static(depths[-1]))
        seen = []
        unit = all_blocks(self.modules)[block].halting
        handle = unit.register_forward_pre_hook(lambda _, pooled: seen.append(torch.cat(pooled, 1)))
        self.net(self.images)
        handle.remove()
        return BlockRows(torch.stack(seen), losses, torch.arange(len(losses)))


def fitted(pays=1.0, seed=0):
    torch.manual_seed(seed)
    net = tiny_net(num_stages=2, max_iterations=LIMITS, last_gamma=0.3).eval()
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.num_batches_tracked += 1
    silence([net])

    def pictures(count):
        brightness = torch.randn(count, 1, 1, 1).sign()
        return brightness + 0.5 * torch.randn(count, 3, 8, 8)

    runs = [PlantedRuns(net, pictures(n), pays) for n in (100, 400, 300)]
    fit = fit_halting(*runs, torch.arange(400))
    return net, fit, runs[2]


@pytest.fixture(scope='module')
def planted():
    return fitted()


def test_the_stage_that_pays_gets_a_unit_the_other_a_constant(planted):
    _, fit, _ = planted
    assert [block.unit is not None for block in fit.blocks] == [False, True]
    assert fit.blocks[1].correlation > 0.5


def test_budgets_are_met_on_other_images(planted):
    net, _, _ = planted
    torch.manual_seed(5)
    new = PlantedRuns(net, torch.randn(400, 1, 1, 1).sign() + 0.5 * torch.randn(400, 3, 8, 8))
    full = new.losses(LIMITS).macs.mean()
    low, *_, high = net.budget_table.rows[:, 0].tolist()
    assert low < 0.6
    assert high > 0.95
    middle = [low + (high - low) * w for w in (0.1, 0.3, 0.45)]
    for share in middle:
        net.set_budget(share=share)
        with torch.no_grad():
            net(new.images)
        macs = [new.table.total(row) for row in net.iterations().tolist()]
        assert sum(macs) / len(macs) / float(full) == pytest.approx(share, abs=0.03)


def test_a_share_between_calibrated_ones_is_met():
    """On the calibration images; two kinds of image make the share a step function of the price."""
    net, _, runs = fitted(seed=1)
    table = net.budget_table
    low, *_, high = table.rows[:, 0].tolist()
    full = float(runs.losses(LIMITS).macs.mean())
    for step in range(26):
        share = low + (high - low) * step / 25
        macs = float(runs.policy(table.at(share)).macs.mean())
        assert macs / full == pytest.approx(share, abs=0.05), share


def test_bright_images_get_the_iterations(planted):
    """At the share where bright images run all and dark ones 1 the policy is the oracle's."""
    net, _, runs = planted
    bright = runs.rate > 0
    oracle = runs.losses((1, 4)).macs * bright + runs.losses((1, 1)).macs * ~bright
    full = runs.losses(LIMITS).macs.mean()
    net.set_budget(share=float(oracle.mean() / full))
    with torch.no_grad():
        net(runs.images)
    depths = net.iterations()[:, 1].double()
    assert depths[bright].mean() > 3.7
    assert depths[~bright].mean() < 1.3


def test_without_a_budget_the_network_stops_where_nothing_is_gained(planted):
    net, _, runs = planted
    net.set_budget()
    with torch.no_grad():
        net(runs.images)
    depths = net.iterations()
    assert (depths[:, 0] == 2).all()
    assert depths[runs.rate > 0, 1].double().mean() > 3.7


def test_nothing_to_gain_leaves_constants():
    net, fit, _ = fitted(pays=0.0)
    assert all(block.unit is None for block in fit.blocks)
    low, *_, high = net.budget_table.rows[:, 0].tolist()
    assert low < high


def test_folds_keep_sources_together():
    groups = torch.tensor([3, 3, 1, 2, 1, 7])
    folds = folds_of(groups)
    assert folds[0] == folds[1]
    assert folds[2] == folds[4]
    assert len({int(f) for f in folds}) == 4


def test_shares():
    found = shares_between(0.38)
    assert found[0] == 0.38
    assert found[1] == pytest.approx(0.4)
    assert found[-1] == 1.0
    assert len(found) == 14
