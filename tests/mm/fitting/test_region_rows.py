"""Regions of a C4 detector are rows of its RoI layer's unit, with losses of their own."""

from __future__ import annotations

import copy

import pytest
import torch

from iterbackbone.core.budget_table import Setting
from iterbackbone.fitting.halting import all_blocks, silence
from iterbackbone.mm.configs import build_model
from iterbackbone.mm.fitting import runs as runs_module
from iterbackbone.mm.fitting.images import ImageSpec, image_loader
from iterbackbone.mm.fitting.losses import seeded_losses
from iterbackbone.mm.fitting.runs import ModelRuns
from tests.support.anytime_runs import c4_config

BASE = (1, 2, 2, 1)
DEPTHS = [(*BASE[:3], depth) for depth in (1, 2, 3)]


@pytest.fixture(scope='module')
def runs(shapes_root, tmp_path_factory):
    cfg = c4_config(shapes_root, tmp_path_factory.mktemp('rows'))
    cfg.model.roi_head.shared_head.max_iterations = 3
    torch.manual_seed(0)
    model = build_model(cfg)
    found = ModelRuns(model, image_loader(cfg, ImageSpec.parse('train[:3]')))
    silence(found.modules)
    return found


def test_full_depth_proposes_and_is_run_once(runs, monkeypatch):
    passes, run = [], ModelRuns._run
    monkeypatch.setattr(ModelRuns, '_run', lambda self, each: passes.append(each) or run(self, each))
    new = ModelRuns(runs.model, runs.loader)
    first = new.losses((1, 2, 3, 3))
    assert len(passes) == 1
    new.losses(BASE)
    assert len(passes) == 2
    shallow_first = ModelRuns(runs.model, runs.loader)
    shallow_first.losses(BASE)
    assert len(passes) == 4
    assert torch.equal(shallow_first.losses((1, 2, 3, 3)).losses, first.losses)
    assert len(passes) == 4


@pytest.fixture(scope='module')
def rows(runs):
    return runs.rows(3, DEPTHS)


def test_rows_are_the_sampled_regions_in_order(rows):
    assert rows.inputs.shape[:2] == (2, len(rows.losses))
    assert rows.losses.shape == (len(rows.images), 3)
    assert rows.images.unique().tolist() == [0, 1, 2]
    assert (rows.images.diff() >= 0).all()


@pytest.mark.parametrize('place', [0, 2])
def test_their_mean_is_the_box_heads_loss_of_the_image(runs, rows, place):
    head = runs.model.roi_head
    for column, depths in enumerate(DEPTHS):
        runs._apply(Setting.static(depths))
        with torch.no_grad():
            features, (sample,) = list(runs._batches())[place]
        with torch.no_grad(), seeded_losses(head):
            proposals = copy.deepcopy(runs._loss_of.proposals[sample.img_path])
            losses = head.loss(features, [proposals], [copy.deepcopy(sample)])
        wanted = float(losses['loss_cls'] + losses['loss_bbox'])
        mean = rows.losses[rows.images == place, column].mean()
        assert float(mean) == pytest.approx(wanted, rel=1e-4)


def test_many_regions_are_thinned_evenly(runs, rows, monkeypatch):
    monkeypatch.setattr(runs_module, 'REGIONS', 4)
    unit = all_blocks(runs.modules)[3].halting
    inputs, losses, images = runs._regions(runs._loss_of, DEPTHS, unit)
    assert images.bincount().max() <= 4
    step = -(-int((rows.images == 0).sum()) // 4)
    torch.testing.assert_close(losses[images == 0], rows.losses[rows.images == 0][::step])
    torch.testing.assert_close(inputs[:, images == 0], rows.inputs[:, rows.images == 0][:, ::step])


def test_images_of_a_cascade_stay_whole(runs, monkeypatch):
    monkeypatch.setattr(type(runs._loss_of), 'has_regions', False)
    found = runs.rows(3, DEPTHS[::2])
    assert found.inputs is None
    assert found.losses.shape == (3, 2)
