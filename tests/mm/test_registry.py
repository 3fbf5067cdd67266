"""The type names work in other people's configs, with no custom_imports."""

from __future__ import annotations

import pytest

from tests.support.processes import Program

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
    code, stdout, stderr = Program(code=BUILD.format(package=package)).wait(timeout=100)
    assert code == 0, stderr
    assert stdout.splitlines()[-1] == '(3, 4, 6, 3) (3,) 0.25 IterationLogHook'
