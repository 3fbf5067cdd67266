"""Which runs are timed, how often, and what their ratios are; no time is asserted."""

from __future__ import annotations

import torch
from mmengine.config import ConfigDict

from benchmarks.speed.forward_runs import Ratio, forward_runs
from iterbackbone.mm.configs import build_model

LIMITS = (2, 3, 4, 2)
SIZE = (8, 8)


def classifier(**backbone):
    options = dict(type='iterbackbone.IterativeResNet', stem='cifar', base_channels=4, expansion=1)
    options |= dict(max_iterations=LIMITS, **backbone)
    return build_model(
        ConfigDict(default_scope='mmpretrain', model=dict(type='ImageClassifier', backbone=options))
    )


def iterations_of(model, run):
    with torch.inference_mode():
        run()
    return tuple(model.backbone.iterations()[0].tolist())


def test_an_iterative_network_runs_at_its_bounds_and_as_logged():
    model = classifier()
    runs = forward_runs(model, SIZE, [(1, 2, 4, 2), (2, 1, 3, 1)])
    assert runs.keys() == {'lowest', 'mean', 'highest'}
    assert iterations_of(model, runs['lowest']) == (1, 1, 1, 1)
    logged = [iterations_of(model, runs['mean']) for _ in range(3)]
    assert logged == [(1, 2, 4, 2), (2, 1, 3, 1), (1, 2, 4, 2)]
    assert iterations_of(model, runs['highest']) == LIMITS


def test_all_iterations_are_those_of_the_models_own_budget():
    model = classifier(budget=dict(max_iterations=3))
    runs = forward_runs(model, SIZE)
    assert runs.keys() == {'lowest', 'highest'}
    assert iterations_of(model, runs['lowest']) == (1, 1, 1, 1)
    assert iterations_of(model, runs['highest']) == (2, 3, 3, 2)


def test_two_blocks_a_stage_are_not_run_as_logged():
    model = classifier(blocks_per_stage=2)
    assert forward_runs(model, SIZE, [(1,) * 8]).keys() == {'lowest', 'highest'}


def test_a_ratio_is_that_of_the_same_round():
    """A machine that slows down tenfold changes no ratio."""
    assert Ratio.of([1.0, 2.0, 30.0, 40.0, 50.0], [2.0, 4.0, 50.0, 50.0, 50.0]) == (0.6, 0.5, 0.8)
