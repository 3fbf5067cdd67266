"""The sdist and the wheel: what they ship, and that it works in an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from modelindex.load_model_index import load

from iterbackbone import __version__
from iterbackbone.__main__ import config_names
from tests.support.pretrained import pack
from tests.support.processes import Program

ROOT = Path(__file__).parents[1]
NAME = 'faster-rcnn_iterative-r50-tiny_fpn_shapes'
WEIGHTS = 'tiny_net.toy'
PIP = ('-m', 'pip', '--disable-pip-version-check')
BUILD_SDIST = 'import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])'
THERE = 'import sys; sys.path.insert(0, sys.argv[1])'
BUILD_MODEL = f"""{THERE}
from iterbackbone.__main__ import config_path
from iterbackbone.mm.configs import build_model, read_config
model = build_model(read_config(config_path({NAME!r})))
print(sys.modules[type(model.backbone).__module__].__file__)
"""
LOAD_MODEL = f"""{THERE}
import iterbackbone
model = iterbackbone.create_model({WEIGHTS!r}, pretrained=True)
print(model.get_classifier().bias.mean().item())
"""


def run(*args, **options):
    command = [sys.executable, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def build_wheel(source, folder):
    options = ('--quiet', '--no-deps', '--no-build-isolation', '--wheel-dir', folder)
    run(*PIP, 'wheel', *options, source)
    (wheel,) = folder.glob('*.whl')
    return wheel


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """A copy of the checkout: building leaves files in the tree."""
    folder = tmp_path_factory.mktemp('checkout') / 'source'
    skipped = shutil.ignore_patterns(
        '.venv', '.git', 'data', 'work_dirs', 'build', '*.egg-info', '__pycache__'
    )
    shutil.copytree(ROOT, folder, ignore=skipped)
    weights = tmp_path_factory.mktemp('weights')
    pack(weights, WEIGHTS)
    for file in weights.glob('*.*'):
        shutil.copy(file, folder / 'iterbackbone/pretrained')
    return folder


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory):
    return build_wheel(source, tmp_path_factory.mktemp('wheel'))


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """(Folder of the package, run there), which runs files or code in an empty folder.

    Code runs in a process that has imported torch, and finds the package first of all.
    """
    site, empty = tmp_path_factory.mktemp('site'), tmp_path_factory.mktemp('empty')
    run(*PIP, 'install', '--quiet', '--no-deps', '--no-index', '--target', site, wheel)
    environment = {**os.environ, 'PYTHONPATH': str(site)}

    def run_there(*args, code=''):
        if not code:
            return run(*args, cwd=empty, env=environment)
        exit_code, stdout, stderr = Program(site, code=code, cwd=empty).wait(timeout=600)
        assert exit_code == 0, stdout + stderr
        return stdout.strip()

    return site / 'iterbackbone', run_there


def files(folder):
    """All files below a folder that git keeps, relative to it."""
    found = (path for path in folder.rglob('*') if path.is_file() and '__pycache__' not in path.parts)
    return {path.relative_to(folder) for path in found}


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {info.filename: info.CRC for info in archive.infolist()}


def test_the_wheel_ships_configs_and_tools(installed):
    package, _ = installed
    shipped = package / '.mim'
    for folder in ('configs', 'tools'):
        assert files(shipped / folder) == files(ROOT / folder)
    for name in ('model-index.yml', 'requirements/constraints.txt'):
        assert (shipped / name).read_text() == (ROOT / name).read_text()
    assert (package / 'py.typed').is_file()
    assert (package / 'report/templates/report.html').is_file()


def test_the_wheel_ships_the_weights(source, installed):
    package, run_there = installed
    files = {path.name for path in (source / 'iterbackbone/pretrained').iterdir() if path.is_file()}
    assert {'index.json', f'{WEIGHTS}.safetensors', f'{WEIGHTS}.md'} <= files
    assert {path.name for path in (package / 'pretrained').iterdir() if path.is_file()} == files
    assert float(run_there(code=LOAD_MODEL)) == 0.5


def test_the_sdist_builds_the_same_wheel(source, wheel, tmp_path):
    run('-c', BUILD_SDIST, tmp_path, cwd=source)
    again = build_wheel(tmp_path / f'iterbackbone-{__version__}.tar.gz', tmp_path)
    assert again.name == wheel.name
    assert contents(again) == contents(wheel)


def test_configs_are_found_and_built_in_an_empty_folder(installed):
    package, run_there = installed
    assert run_there('-m', 'iterbackbone', 'config').split() == config_names()
    path = run_there('-m', 'iterbackbone', 'config', NAME)
    assert path == str(package / f'.mim/configs/detection/{NAME}.py')
    assert run_there(code=BUILD_MODEL).splitlines()[-1] == str(package / 'mm/modules.py')


def test_the_console_script_is_installed(installed):
    package, run_there = installed
    path = run_there(package.parent / 'bin/iterbackbone', 'config', NAME)
    assert path == str(package / f'.mim/configs/detection/{NAME}.py')


def test_this_environment_is_usable_says_the_check_in_an_empty_folder(installed):
    package, run_there = installed
    tool = run_there('-m', 'iterbackbone', 'tool', 'iterbackbone', 'check_environment')
    assert tool == str(package / '.mim/tools/check_environment.py')
    result = json.loads(run_there(tool, '--json'))
    assert result['usable']
    levels = {each['check']: each['level'] for each in result['findings']}
    assert {'torch', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain', 'iterbackbone'} <= set(levels)
    assert 'error' not in levels.values()


def test_the_model_index_leads_to_shipped_configs(installed):
    """As mim reads it."""
    shipped = installed[0] / '.mim'
    models = list(load(str(shipped / 'model-index.yml')).models)
    assert len(models) == len(config_names())
    assert [model.name for model in models if not (shipped / model.config).is_file()] == []
