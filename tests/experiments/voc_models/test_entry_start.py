"""What iterative and plain stages behind an entry start from."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.voc_models.entry_start import load_stages


@pytest.mark.parametrize('prefix', ['', 'backbone.'])
@pytest.mark.parametrize('third', ['stages.2', 'layer3'])
def test_last_stages_become_the_stages_behind_the_entry(prefix, third):
    backbone = nn.Module()
    backbone.stages = nn.ModuleList(nn.Sequential(nn.Linear(2, 2), nn.Linear(1, 2)) for _ in range(2))
    before = backbone.stages[0][1].weight.clone()
    fourth = third.replace('2', '3') if '.' in third else 'layer4'
    second = third.replace('2', '1') if '.' in third else 'layer2'
    weights = {
        f'{prefix}{second}.0.weight': torch.full((2, 2), 2.0),
        f'{prefix}{third}.0.weight': torch.full((2, 2), 3.0),
        f'{prefix}{third}.1.weight': torch.full((2, 5), 3.0),  # has other inputs
        f'{prefix}{fourth}.0.weight': torch.full((2, 2), 4.0),
        'head.fc.weight': torch.full((2, 2), 9.0),
    }
    load_stages(backbone, weights)
    assert (backbone.stages[0][0].weight == 3).all()
    assert torch.equal(backbone.stages[0][1].weight, before)
    assert (backbone.stages[1][0].weight == 4).all()
