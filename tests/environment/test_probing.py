"""Probes of real processes: broken packages that stand before the real ones, and the real ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from iterbackbone.environment.probing import WORKER, installed, probe_all, read_pins
from iterbackbone.environment.worker import PROBES

from .descriptions import MAINTAINED, PINS, assert_finding, changed

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'check_environment.py'
MEND_TORCH = 'pip uninstall -y torch torchvision && pip install torch==2.12.1 torchvision==0.27.1'
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


@pytest.fixture
def before_real_ones(tmp_path, monkeypatch):
    """Writes packages that processes started from here import instead of the real ones."""

    def write(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        monkeypatch.setenv('PYTHONPATH', f'{tmp_path}:{ROOT}')

    return write


def test_torchvision_without_its_operators(before_real_ones):
    message = 'operator torchvision::nms does not exist'
    before_real_ones({'torchvision/__init__.py': f'raise RuntimeError({message!r})'})
    outcomes = probe_all(['torchvision'])
    assert outcomes['torchvision'].error == f'RuntimeError: {message}'
    assert_finding(changed(**outcomes), 'torchvision', 'error', message, MEND_TORCH)


def test_mmcv_without_operators(before_real_ones):
    before_real_ones({'mmcv/__init__.py': ''})
    outcomes = probe_all(['mmcv'])
    assert outcomes['mmcv'].error == "ModuleNotFoundError: No module named 'mmcv.ops'"


def test_a_crash_is_reported_and_the_rest_examined(before_real_ones):
    before_real_ones(
        {
            'mmcv/__init__.py': '',
            'mmcv/ops.py': ABORT,
            'pycocotools/__init__.py': '',
            'pycocotools/mask.py': "raise SystemExit('first line\\nsecond line')",
        }
    )
    outcomes = probe_all(['mmcv', 'pycocotools', 'cv2'])
    assert list(outcomes) == ['mmcv', 'pycocotools', 'cv2']
    assert outcomes['mmcv'].error == 'crashed by SIGABRT: about to crash'
    assert outcomes['pycocotools'].error == 'SystemExit: first line'
    assert outcomes['cv2'] == MAINTAINED.outcomes['cv2']


def test_a_torch_that_reads_weights_only(before_real_ones):
    before_real_ones(ORIGINAL_MMENGINE)
    error = probe_all(['checkpoint'])['checkpoint'].error
    assert error.startswith('UnpicklingError: Weights only load failed')
    assert '\x1b' not in error


def test_what_is_not_installed():
    command = [sys.executable, '-S', WORKER, 'mmdet', 'torch']  # without site-packages
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert records == [{'name': name, 'missing': True} for name in ('mmdet', 'torch')]


def test_installed_distributions(tmp_path, monkeypatch):
    for name, version in (('mmengine', '0.10.7'), ('Some_Package', '1.0')):
        folder = tmp_path / f'{name}-{version}.dist-info'
        folder.mkdir()
        (folder / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
    monkeypatch.syspath_prepend(tmp_path)
    versions = installed()
    assert versions['mmengine'] == '0.10.7'
    assert versions['some-package'] == '1.0'
    assert 'onedl-mmengine' in versions


def test_pins_without_those_of_some_versions_of_python(tmp_path):
    path = tmp_path / 'constraints.txt'
    path.write_text('# a==1\ntorch==2.12.1\nscipy==1.17.1 ; python_version >= "3.11"\nx-y==1.0.post1\n')
    assert read_pins(path) == {'torch': '2.12.1', 'x-y': '1.0.post1'}
    assert {'torch', 'torchvision', 'numpy', 'onedl-mmcv', 'onedl-mmengine'} <= set(PINS)


def test_this_environment_is_usable():
    done = subprocess.run(
        [sys.executable, TOOL, '--json'], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result['usable']
    levels = {each['check']: each['level'] for each in result['findings']}
    assert {'torch', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain', 'iterbackbone'} <= set(levels)
    assert 'error' not in levels.values()


def test_an_environment_without_a_working_torch_is_not(before_real_ones):
    before_real_ones({'torch/__init__.py': ABORT})
    command = [sys.executable, '-m', 'iterbackbone', 'check']
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, cwd=ROOT)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    mend = f'crashed by SIGABRT: about to crash; mend it by: {MEND_TORCH}'
    assert f'error    torch            {mend}' in lines
    assert any(line.startswith('error    mmdet            mend torch and ') for line in lines)
    assert lines[-1] == 'not usable: mend the errors from the top, then check again'


def test_every_probe_has_an_outcome_in_the_constructed_descriptions():
    assert set(MAINTAINED.outcomes) == set(PROBES)
