"""Golden: uncertainty, and the rule that gives the dearer of two budgets to images of a high signal."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from experiments.fitted_gain.signals import Signals, split_by
from iterbackbone.core.resnet import IterativeResNet

COSTS = np.array([[1.0] * 8, [2.0] * 8, [9.0] * 8, [4.0] * 8])
VERTICES = [0, 1, 3]  # the third budget is below the envelope
SIGNAL = np.arange(8.0)


@pytest.mark.parametrize(
    ('cost', 'budgets', 'dearer'),
    [(1.0, (0, 1), 0), (1.25, (0, 1), 2), (2.0, (0, 1), 7), (3.0, (1, 3), 4)],
)
def test_two_neighbours_meet_a_cost(cost, budgets, dearer):
    low, high, threshold = split_by(SIGNAL, COSTS, VERTICES, cost)
    assert (low, high) == budgets
    assert (threshold < SIGNAL).sum() == dearer


class Model(nn.Module):
    """What a classifier (one vote an image) or a segmentor (one a cell) has for ``Signals``."""

    def __init__(self, name):
        super().__init__()
        self.backbone = IterativeResNet(max_iterations=(2, 2), num_stages=2, base_channels=4)
        setattr(self, name, lambda features: self.votes[(...,) + (None, None) * (name != 'head')])
        self.data_preprocessor = lambda data, training: data

    def extract_feat(self, inputs):
        return self.backbone(inputs)


@pytest.mark.parametrize('name', ['head', 'decode_head'])
def test_uncertainty_is_the_entropy_of_the_votes(name):
    model = Model(name).eval()
    model.votes = torch.tensor([[0.0, 0.0], [50.0, 0.0]])
    found = Signals.of(model, [dict(inputs=torch.randn(2, 3, 32, 32))])
    assert found.uncertainty == pytest.approx([math.log(2), 0.0], abs=1e-6)
    assert found.state_change.shape == (2,)
