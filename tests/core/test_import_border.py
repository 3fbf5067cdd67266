"""Which part of the package needs which other packages."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import iterbackbone
from tests.support.blocked_runs import OPENMMLAB, run

PACKAGE = Path(iterbackbone.__file__).parent
WORKER = 'environment/worker.py'  # tries what an environment holds, in a process of its own


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
        ('import iterbackbone.core', {'scipy', 'torchvision'}),
        ('import iterbackbone.warm_start.recalibration', {'scipy', 'torchvision', 'PIL'}),
        ('from iterbackbone import IterativeResNet, IterativeResLayer, HaltingTrace', {'scipy'}),
        (
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
    assert sorted(iterbackbone.__all__) == ['HaltingTrace', 'IterativeResLayer', 'IterativeResNet']


def imported(source: str) -> set[str]:
    """Top-level names of all packages that ``source`` imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split('.')[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            ('import_module', '__import__')
        ):
            found |= {str(a.value).split('.')[0] for a in node.args[:1] if isinstance(a, ast.Constant)}
    return found


def test_imported_finds_all_kinds():
    source = """
import os, mmcv.ops as ops
from mmdet.apis import inference
from .mm import backbone
def f():
    import mmseg
    importlib.import_module('mmpretrain.models')
"""
    assert imported(source) == {'os', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain'}


def sources() -> dict[str, set[str]]:
    """What each file of the package imports, by its path in the package."""
    return {
        p.relative_to(PACKAGE).as_posix(): imported(p.read_text())
        for p in sorted(PACKAGE.rglob('*.py'))
    }


def test_only_mm_and_registry_import_openmmlab():
    files = sources()
    assert files.pop(WORKER) > OPENMMLAB
    assert {'__init__.py', 'core/act.py', 'core/resnet.py'} <= set(files)
    inside = {name for name in files if name.startswith('mm/') or name == 'registry.py'}
    assert {
        name: found & OPENMMLAB
        for name, found in files.items()
        if found & OPENMMLAB and name not in inside
    } == {}


@pytest.mark.parametrize(
    ('folder', 'allowed'),
    [
        ('core/', {'torch'}),
        ('inference/', {'torch'}),
        ('export/', {'torch', 'numpy', 'onnx', 'onnxruntime', 'cv2', 'google'}),
        ('environment/', set()),
        ('fitting/', {'torch'}),
        ('log/', {'numpy', 'cv2'}),
        ('stats/', {'numpy', 'scipy'}),
        ('warm_start/', {'torch', 'numpy'}),
    ],
)
def test_folders_import_no_more_than_they_may(folder, allowed):
    files = {name: found for name, found in sources().items() if name.startswith(folder)}
    files.pop(WORKER, None)
    assert len(files) > 2
    extra = {name: found - allowed - sys.stdlib_module_names for name, found in files.items()}
    assert {name: found for name, found in extra.items() if found} == {}
