"""The type names work in other people's configs, with no custom_imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

BUILD = """
import sys
from {package}.registry import MODELS, HOOKS
from mmengine.registry import init_default_scope
init_default_scope('{package}')
assert 'iterbackbone' not in sys.modules
backbone = MODELS.build(dict(type='iterbackbone.IterativeResNet', depth=50, base_channels=4))
layer = MODELS.build(dict(type='iterbackbone.IterativeResLayer', depth=50, base_channels=4))
hook = HOOKS.build(dict(type='iterbackbone.PonderCostHook', weight=0.25))
log = HOOKS.build(dict(type='iterbackbone.IterationLogHook'))
print(backbone.max_iterations, layer.max_iterations, hook.weight, type(log).__name__)
"""


@pytest.mark.parametrize('package', ['mmdet', 'mmseg', 'mmpretrain'])
def test_types_resolve_without_custom_imports(package):
    command = [sys.executable, '-W', 'ignore', '-c', BUILD.format(package=package)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == '(3, 4, 6, 3) (3,) 0.25 IterationLogHook'
