"""Which room of the package may import which other rooms and packages."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import iterbackbone
from tests.support.blocked_runs import OPENMMLAB

PACKAGE = Path(iterbackbone.__file__).parent
OUTSIDE = {'benchmarks', 'examples', 'experiments', 'shapes', 'tests', 'tools'}
COMMON = {'iterbackbone', 'environment', 'files', 'text'}  # the version, and what every room may use

# Of each room: the packages and the other rooms that its files may import.
ROOMS = {
    'core': ({'torch'}, set()),
    'inference': ({'torch'}, {'core'}),
    'fitting': ({'torch'}, {'core'}),
    'export': (
        {'torch', 'numpy', 'onnx', 'onnx_ir', 'onnxruntime', 'openvino', 'cv2', 'msgspec', 'scipy'},
        {'core', 'inference'},
    ),
    'warm_start': ({'torch', 'numpy'}, {'core'}),
    'pretrained': ({'torch', 'safetensors', 'timm'}, {'core', 'timing'}),
    'timing.py': ({'torch'}, set()),
    'log': ({'numpy', 'cv2', 'msgspec'}, set()),
    'stats': ({'numpy', 'scipy'}, {'log'}),
    'report': (
        {'numpy', 'scipy', 'msgspec', 'matplotlib', 'plotly', 'jinja2', 'markupsafe', 'PIL', 'tqdm'},
        {'log', 'stats'},
    ),
    'environment.py': (set(), set()),
    'cli': ({'numpy', 'cv2', 'PIL', 'matplotlib', 'tqdm'}, set()),
}
# Imported when called: the reason stands at the place.
LAZY = {
    ('__init__.py', 'iterbackbone.core'),
    ('__main__.py', 'argcomplete'),
    ('cli/demo/options.py', 'iterbackbone.cli.demo.pictures'),
    ('cli/demo/options.py', 'iterbackbone.cli.demo.sources'),
    ('cli/demo/options.py', 'iterbackbone.cli.demo.video'),
    ('cli/demo/options.py', 'iterbackbone.cli.demo.panel'),
    ('cli/demo/options.py', 'iterbackbone.mm.predictor'),
    ('cli/commands.py', 'iterbackbone.mm.budget_curve'),
    ('cli/commands.py', 'iterbackbone.mm.configs'),
    ('cli/commands.py', 'iterbackbone.mm.new_config.command'),
    ('cli/commands.py', 'iterbackbone.mm.new_data.command'),
    ('cli/commands.py', 'iterbackbone.pretrained.variants'),
    ('cli/commands.py', 'torch.cuda'),
    ('__init__.py', 'iterbackbone.pretrained'),
    ('core/adaptive.py', 'iterbackbone.inference.network_form'),
    ('export/onnx/runtime.py', 'iterbackbone.export.onnx.openvino_session'),
    ('mm/evaluation/detection.py', 'mmdet.structures.mask'),
    ('mm/evaluation/iteration_log_hook.py', 'iterbackbone.mm.evaluation.summary'),
    ('mm/export/exported.py', 'iterbackbone.mm.export.detectors'),
    ('mm/fitting/losses.py', 'mmdet.structures.bbox'),
    ('pretrained/models.py', 'timm'),
    ('mm/traces.py', 'mmdet.models.roi_heads.roi_extractors'),
}


class Import(NamedTuple):
    """One imported module.

    Attributes:
        name: In full, such as ``iterbackbone.core.act``.
        lazy: Whether it stands in a function or under a condition.
    """

    name: str
    lazy: bool


def imports(source: str, package: str = '') -> Iterator[Import]:
    """What a file imports, inside functions too.

    Args:
        source: Of the file.
        package: That it lies in, for relative imports.
    """
    tree = ast.parse(source)
    outer = set(tree.body)
    for node in ast.walk(tree):
        lazy = node not in outer
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split('.')[: -node.level + 1 or None] if node.level else []
            base = '.'.join([*above, *([node.module] if node.module else [])])
            modules = {alias.name for alias in node.names if f'{base}.{alias.name}' in MODULES}
            if len(modules) < len(node.names):
                yield Import(base, lazy)
            yield from (Import(f'{base}.{name}', lazy) for name in modules)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            ('import_module', '__import__')
        ):
            yield from (
                Import(str(a.value), lazy) for a in node.args[:1] if isinstance(a, ast.Constant)
            )


def module_name(path: Path) -> str:
    return '.'.join(path.relative_to(PACKAGE.parent).with_suffix('').parts).removesuffix('.__init__')


MODULES = {module_name(path): path for path in PACKAGE.rglob('*.py')}
IMPORTS = {
    path.relative_to(PACKAGE).as_posix(): list(
        imports(path.read_text(), '.'.join(path.relative_to(PACKAGE.parent).parts[:-1]))
    )
    for path in sorted(MODULES.values())
}


def top(name: str) -> str:
    return name.split('.')[0]


def room(name: str) -> str:
    """The room of a module of the package."""
    return [*name.split('.'), 'iterbackbone'][1]


def test_imports_finds_all_kinds():
    source = """
import os, mmcv.ops as ops
from mmdet.apis import inference
from .. import core, __version__
from ..core import act
from .modules import IterativeResNet
def f():
    import mmseg
    importlib.import_module('mmpretrain.models')
"""
    found = set(imports(source, 'iterbackbone.mm'))
    ours = {'iterbackbone', 'iterbackbone.core', 'iterbackbone.core.act', 'iterbackbone.mm.modules'}
    at_once = {'os', 'mmcv.ops', 'mmdet.apis', *ours}
    lazy = {'mmseg', 'mmpretrain.models'}
    assert found == {Import(n, False) for n in at_once} | {Import(n, True) for n in lazy}


def test_only_mm_and_registry_import_openmmlab():
    inside = {n for n in IMPORTS if n.startswith('mm/')} | {'registry.py'}
    assert {
        name: found
        for name, each in IMPORTS.items()
        if name not in inside and (found := {top(i.name) for i in each} & OPENMMLAB)
    } == {}


@pytest.mark.parametrize('name', ROOMS)
def test_rooms_import_no_more_than_they_may(name):
    packages, rooms = ROOMS[name]
    files = {
        file: each for file, each in IMPORTS.items() if file == name or file.startswith(f'{name}/')
    }
    assert len(files) > (2 if '.' not in name else 0)
    allowed = packages | sys.stdlib_module_names
    for file, each in files.items():
        used = {i for i in each if (file, i.name) not in LAZY}
        assert {top(i.name) for i in used} - allowed - {'iterbackbone'} == set(), file
        ours = {room(i.name) for i in used if top(i.name) == 'iterbackbone'}
        assert ours - rooms - COMMON - {name} == set(), file


def test_nothing_shipped_imports_what_is_not():
    tools = {
        path.name: list(imports(path.read_text())) for path in (PACKAGE.parent / 'tools').glob('*.py')
    }
    assert len(tools) > 5
    for file, each in {**IMPORTS, **tools}.items():
        allowed = {'shapes'} if file in tools else set()
        assert {top(i.name) for i in each} & OUTSIDE - allowed == set(), file


def test_what_is_imported_late_is_listed():
    late = {(file, i.name) for file, each in IMPORTS.items() for i in each if i.lazy}
    assert late == LAZY


def test_there_is_no_import_circle():
    graph = {
        module: {i.name for i in IMPORTS[path.relative_to(PACKAGE).as_posix()]} & MODULES.keys()
        for module, path in MODULES.items()
    }
    assert len(graph['iterbackbone.core.block']) > 3
    list(TopologicalSorter(graph).static_order())  # raises on a circle, lazy imports included
