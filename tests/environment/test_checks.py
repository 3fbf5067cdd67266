"""Findings on Python, torch and what it works with, from constructed descriptions."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from iterbackbone.environment.checks import LOWEST_PYTHON, LOWEST_TORCH, findings
from iterbackbone.environment.description import numbers

from .descriptions import MAINTAINED, MISSING, ORIGINALS, assert_finding, changed, of

SETUP = (Path(__file__).parents[2] / 'setup.py').read_text()
PAIR = 'pip uninstall -y torch torchvision && pip install torch==2.12.1 torchvision==0.27.1'
NEW_VENV = 'python3.11 -m venv .venv && source .venv/bin/activate'
SETUPTOOLS = "pip install 'setuptools>=77,<81'"
NMS = 'RuntimeError: operator torchvision::nms does not exist'
ABI = 'ValueError: numpy.dtype size changed, may indicate binary incompatibility.'
LIBGL = 'ImportError: libGL.so.1: cannot open shared object file: No such file or directory'


@pytest.mark.parametrize('env', [MAINTAINED, ORIGINALS])
def test_a_good_environment_has_nothing_to_mend(env):
    assert {(each.level, each.command) for each in findings(env)} == {('ok', '')}


def test_one_line_each_in_the_order_of_mending():
    assert [each.check for each in findings(changed(torch=of(gpu='NVIDIA H200')))] == [
        *('python', 'setuptools', 'torch', 'numpy', 'torchvision', 'cv2', 'pycocotools', 'families'),
        *('mmengine', 'mmcv', 'mmcv on the GPU', 'mmdet', 'mmseg', 'mmpretrain', 'iterbackbone'),
    ]


@pytest.mark.parametrize(
    ('version', 'level', 'reason'),
    [((3, 9), 'error', '3.9, 3.10 or newer'), ((3, 14), 'warning', '3.14, only 3.11')],
)
def test_python(version, level, reason):
    assert_finding(replace(MAINTAINED, python=version), 'python', level, reason, NEW_VENV)


@pytest.mark.parametrize(
    ('version', 'reason'),
    [('82.0.0', '82.0.0, not run'), ('81.0.0', 'not run'), ('65.5.0', '65.5.0, .*less than 77')],
)
def test_setuptools(version, reason):
    env = changed(distributions={'setuptools': version})
    assert_finding(env, 'setuptools', 'warning', reason, SETUPTOOLS)


@pytest.mark.parametrize('version', ['82.0.1', '65.5.0'])
def test_plain_pytorch_needs_no_other_setuptools(version):
    names = [name for name in MAINTAINED.distributions if name.startswith('onedl-')]
    env = changed(without=names, distributions={'setuptools': version}, mmengine=MISSING)
    assert_finding(env, 'setuptools', 'ok', f'{version}, only building OpenMMLab packages', '')


def test_no_setuptools():
    env = changed(without=['setuptools'])
    assert_finding(env, 'setuptools', 'warning', 'none, ', SETUPTOOLS)


@pytest.mark.parametrize(
    ('outcome', 'reason', 'command'),
    [
        (MISSING, 'not installed', 'pip install torch==2.12.1 torchvision==0.27.1'),
        ('crashed by SIGSEGV', 'crashed by SIGSEGV', PAIR),
        (of('1.13.1'), '1.13.1, 2.1 or newer', PAIR),
    ],
)
def test_torch(outcome, reason, command):
    assert_finding(changed(torch=outcome), 'torch', 'error', reason, command)


@pytest.mark.parametrize(
    ('torch', 'reason', 'pair'),
    [
        ('2.12.1+cpu', r'torch 2\.12\.1\+cpu, built for the CPU: .*nms does not exist', PAIR),
        ('2.6.0', r'torch 2\.6\.0', PAIR.replace('2.12.1', '2.6.0').replace('0.27.1', '0.21.0')),
    ],
)
def test_torchvision_of_another_torch(torch, reason, pair):
    env = changed(torch=of(torch, cuda=None), torchvision=NMS)
    assert_finding(env, 'torchvision', 'error', f'0.27.1 does not go with {reason}', pair)


def test_no_torchvision():
    env = changed(torchvision=MISSING)
    assert_finding(env, 'torchvision', 'warning', 'not installed', PAIR)
    env = changed(env, mmengine=MISSING)
    assert_finding(env, 'torchvision', 'ok', 'only OpenMMLab needs it', '')


def test_no_numpy():
    env = changed(numpy=MISSING)
    assert_finding(env, 'numpy', 'error', 'not installed', 'pip install numpy==2.2.6')


def test_torch_built_for_numpy_1():
    env = changed(numpy='RuntimeError: Numpy is not available')
    reason = 'torch was built for numpy 1, numpy is 2.2.6'
    assert_finding(env, 'numpy', 'error', reason, "pip install 'numpy<2'")


@pytest.mark.parametrize(
    ('outcomes', 'check', 'reason', 'command'),
    [
        (
            {'pycocotools': ABI},
            *('pycocotools', 'was built for numpy 1, numpy is 2.2.6'),
            'pip install --upgrade pycocotools',
        ),
        ({'cv2': LIBGL}, 'cv2', 'libGL.so.1', 'apt-get install libgl1 libglib2.0-0'),
    ],
)
def test_compiled_packages(outcomes, check, reason, command):
    assert_finding(changed(**outcomes), check, 'error', reason, command)


def test_not_installed_itself():
    command = 'pip install --no-build-isolation -e .'
    env = changed(iterbackbone=MISSING)
    assert_finding(env, 'iterbackbone', 'warning', 'not installed', command)


def test_bounds_are_those_of_the_packaging():
    assert numbers(re.search("python_requires='>=(.*)'", SETUP)[1]) == LOWEST_PYTHON
    assert numbers(re.search("'torch>=(.*?)'", SETUP)[1]) == LOWEST_TORCH


@pytest.mark.parametrize(
    ('version', 'expected'),
    [('2.12.1', (2, 12, 1)), ('2.5.1+cu124', (2, 5, 1)), ('2.13.0a0', (2, 13, 0)), ('', ()), ('x', ())],
)
def test_numbers(version, expected):
    assert numbers(version) == expected
