"""The check of an environment: broken packages that stand before the real ones, and the real ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from iterbackbone import environment
from iterbackbone.environment import Finding, findings

ROOT = Path(__file__).parents[1]
ABORT = "import os\nprint('about to crash', flush=True)\nos.abort()"
# As the original mmengine reads a checkpoint.
ORIGINAL_MMENGINE = {
    'mmengine/__init__.py': '',
    'mmengine/runner/__init__.py': '',
    'mmengine/runner/checkpoint.py': """
import torch
class CheckpointLoader:
    @staticmethod
    def load_checkpoint(path, map_location):
        return torch.load(path, map_location=map_location)
""",
    'mmengine/logging.py': """
class HistoryBuffer:
    pass
class MessageHub:
    def __init__(self, name):
        self.scalars = {}
    def update_scalar(self, key, value):
        self.scalars[key] = HistoryBuffer()
    def state_dict(self):
        return {'log_scalars': self.scalars}
""",
}
BROKEN = {
    'torchvision/__init__.py': "raise RuntimeError('operator torchvision::nms does not exist')",
    'cv2.py': ABORT,
    'pycocotools/__init__.py': '',
    'pycocotools/mask.py': "raise SystemExit('first line\\nlast line')",
    'mmcv/__init__.py': '',
    **ORIGINAL_MMENGINE,
}


@pytest.fixture
def before_real_ones(tmp_path, monkeypatch):
    """Writes packages that processes started from here import instead of the real ones."""

    def write(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        monkeypatch.setenv('PYTHONPATH', f'{tmp_path}:{ROOT}')

    return write


def check(monkeypatch, *names):
    monkeypatch.setattr(environment, 'TRIALS', {name: environment.TRIALS[name] for name in names})
    run = environment._run
    if names:  # of packages alone
        monkeypatch.setattr(environment, '_run', lambda *a: (0, '') if 'pip' in a else run(*a))
    return {each.check: each for each in findings()}


def test_each_package_is_tried_apart_from_the_others(before_real_ones, monkeypatch):
    before_real_ones(BROKEN)
    names = ('torchvision', 'cv2', 'pycocotools', 'mmengine', 'mmdet')
    found = check(monkeypatch, *names)
    assert {found[name].level for name in names} == {'error'}
    assert found['torchvision'].reason == 'RuntimeError: operator torchvision::nms does not exist'
    assert found['cv2'].reason == 'crashed by signal 6: about to crash'
    assert found['pycocotools'].reason == 'last line'
    assert 'Weights' in found['mmengine'].reason or 'weights' in found['mmengine'].reason


def test_a_broken_dependency_of_the_hooks_is_named(before_real_ones, monkeypatch):
    before_real_ones({'msgspec.py': "raise ImportError('msgspec is broken')"})
    found = check(monkeypatch, 'iterbackbone')['iterbackbone']
    assert (found.level, found.reason) == ('error', 'ImportError: msgspec is broken')


def test_both_families_side_by_side(tmp_path, monkeypatch):
    folder = tmp_path / 'mmengine-0.10.7.dist-info'
    folder.mkdir()
    (folder / 'METADATA').write_text('Metadata-Version: 2.1\nName: mmengine\nVersion: 0.10.7\n')
    (folder / 'top_level.txt').write_text('mmengine\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(environment, '_run', lambda *_: (0, ''))
    reason = 'mmengine and onedl-mmengine overwrite files of each other'
    assert check(monkeypatch, 'mmengine')['mmengine'] == Finding('mmengine', 'error', reason)


@pytest.mark.parametrize(('name', 'level'), [('mmdet', 'ok'), ('torch', 'error')])
def test_what_is_not_installed(name, level, monkeypatch):
    monkeypatch.setattr(environment, 'packages_distributions', dict)
    monkeypatch.setattr(environment, 'find_spec', lambda name: None)
    assert check(monkeypatch, name)[name] == Finding(name, level, 'not installed')


def test_what_pip_check_says_is_a_warning(monkeypatch):
    monkeypatch.setattr(environment, '_run', lambda *_: (1, 'a 1.0 requires b'))
    assert check(monkeypatch) == {'pip check': Finding('pip check', 'warning', 'a 1.0 requires b')}


def test_the_command_says_what_does_not_work(monkeypatch, capsys):
    monkeypatch.setattr(environment, 'findings', lambda: [Finding('mmcv', 'error', 'ImportError: x')])
    monkeypatch.setattr(sys, 'argv', ['iterbackbone', 'check'])
    from iterbackbone.__main__ import main

    with pytest.raises(SystemExit, match='1'):
        main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'error    mmcv          ImportError: x'
    assert lines[-1].startswith('not usable')
