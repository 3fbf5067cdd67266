"""What runs where OpenMMLab, torch or others are not installed."""

from __future__ import annotations

import pytest

import iterbackbone
from tests.support.blocked_runs import OPENMMLAB, run


@pytest.mark.parametrize('name', sorted(OPENMMLAB | {'torch'}))
def test_the_block_blocks(name):
    result = run(f'import {name}', blocked={name})
    assert result.returncode == 1
    assert f'ImportError: {name} is blocked' in result.stderr


@pytest.mark.parametrize(
    ('statement', 'more'),
    [
        ('import iterbackbone; assert iterbackbone.__version__', {'torch', 'numpy', 'scipy'}),
        ('import iterbackbone.stats', {'torch'}),
        ('import iterbackbone.__main__', {'torch', 'numpy', 'scipy', 'torchvision'}),
        ('import iterbackbone.warm_start.conversion', {'scipy', 'torchvision', 'PIL'}),
        (
            'from iterbackbone import IterativeResNet, IterativeResLayer, HaltingTrace',
            {'scipy', 'safetensors'},
        ),
        (
            'import iterbackbone.core\nfrom iterbackbone import create_model, list_models\n'
            'import torch; from iterbackbone import IterativeResNet\n'
            'net = IterativeResNet(base_channels=4, max_iterations=(1, 2, 2, 1)).eval()\n'
            'assert len(net(torch.rand(1, 3, 32, 32))) == 4',
            {'scipy', 'torchvision'},
        ),
    ],
)
def test_works_without(statement, more):
    result = run(statement, blocked=OPENMMLAB | more)
    assert result.returncode == 0, result.stderr


def test_unknown_names_are_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'ResNet'"):
        _ = iterbackbone.ResNet
    names = ['HaltingTrace', 'IterativeResLayer', 'IterativeResNet', 'create_model', 'list_models']
    assert sorted(iterbackbone.__all__) == names
