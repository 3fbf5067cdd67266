"""What runs where OpenMMLab, torch or others are not installed."""

from __future__ import annotations

import re

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


@pytest.mark.parametrize(
    ('package', 'command'),
    [
        ('cv2', 'demo a.jpg'),
        ('mmengine', 'new mine --base fcos_iterative-r50-w32_fpn_anytime_voc2007-320'),
    ],
)
def test_commands_say_in_one_line_what_is_missing(package, command, tmp_path):
    code = f'import os, sys; os.chdir({str(tmp_path)!r}); sys.argv = {["it", *command.split()]!r}\n'
    result = run(f'{code}from iterbackbone.__main__ import main; main()', {package}, absent=True)
    hint = "pip install 'iterbackbone[openmmlab]' brings what commands need"
    (line,) = result.stderr.splitlines()
    assert (
        re.fullmatch(rf"iterbackbone \w+: error: No module named '{package}.*'; (.*)", line)[1] == hint
    )
    assert result.returncode == 2


@pytest.mark.parametrize(
    ('part', 'package', 'extra'),
    [('export.onnx.graph', 'onnx', 'export'), ('report.analysis', 'plotly', 'report')],
)
def test_parts_of_an_extra_name_it(part, package, extra):
    result = run(f'import iterbackbone.{part}', {package}, absent=True)
    wanted = f"ModuleNotFoundError: no {package} here: pip install 'iterbackbone[{extra}]'"
    assert result.stderr.splitlines()[-1] == wanted


def test_unknown_names_are_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'ResNet'"):
        _ = iterbackbone.ResNet
    names = ['HaltingTrace', 'IterativeResLayer', 'IterativeResNet', 'create_model', 'list_models']
    assert sorted(iterbackbone.__all__) == names
