"""Findings on the OpenMMLab packages, from constructed descriptions."""

from __future__ import annotations

import pytest

from iterbackbone.environment.checks import findings

from .descriptions import MISSING, ORIGINALS, assert_finding, changed, of

BUILD = (
    'MMCV_WITH_OPS=1 pip install --no-build-isolation --no-deps --force-reinstall --no-cache-dir '
    '--no-binary '
)
REBUILD = f'{BUILD}onedl-mmcv onedl-mmcv==2.3.6'
SEVERAL = 'MMCV_WITH_OPS=1 pip install --no-build-isolation'
UNDEFINED = 'ImportError: mmcv/_ext.so: undefined symbol: _ZN3c106detail14torchCheckFailE'
NO_OPERATORS = "ModuleNotFoundError: No module named 'mmcv._ext'"
NO_CUDA = 'RuntimeError: nms_impl: implementation for device cuda:0 not found.'


def test_both_families():
    env = changed(
        distributions={'mmengine': '0.10.7', 'mmcv': '2.1.0'},
        without=['onedl-mmpretrain', 'onedl-mmdetection'],
    )
    reason = 'overwrites files of the other: onedl-mmengine and mmengine; onedl-mmcv and mmcv$'
    command = (
        'pip uninstall -y onedl-mmengine mmengine onedl-mmcv mmcv onedl-mmsegmentation && '
        f'{SEVERAL} onedl-mmengine==0.10.12 onedl-mmcv==2.3.6 onedl-mmsegmentation==1.4.2'
    )
    assert_finding(env, 'families', 'error', reason, command)
    env = changed(env, mmcv=UNDEFINED)
    assert_finding(env, 'mmcv', 'error', f'^mend families first: {UNDEFINED}', '')


def test_mixed_families():
    without = ['mmengine', 'mmcv']
    env = changed(ORIGINALS, distributions={'onedl-mmengine': '0.10.12'}, without=without)
    command = (
        'pip uninstall -y onedl-mmengine mmdet && '
        f'{SEVERAL} onedl-mmengine==0.10.12 onedl-mmdetection==3.5.1'
    )
    assert_finding(env, 'families', 'warning', 'not run: onedl-mmengine, mmdet', command)


def test_no_mmengine():
    command = (
        f'{SEVERAL} onedl-mmengine==0.10.12 onedl-mmcv==2.3.6 onedl-mmdetection==3.5.1 '
        'onedl-mmsegmentation==1.4.2 onedl-mmpretrain==1.3.6'
    )
    env = changed(mmengine=MISSING, checkpoint=MISSING)
    assert_finding(env, 'mmengine', 'warning', 'plain PyTorch only', command)


def test_originals_without_pkg_resources():
    env = changed(ORIGINALS, mmengine="ModuleNotFoundError: No module named 'pkg_resources'")
    command = "pip install 'setuptools>=77,<81'"
    assert_finding(env, 'mmengine', 'error', 'needs setuptools with pkg_resources', command)


def test_originals_with_a_torch_that_reads_weights_only():
    error = 'UnpicklingError: Weights only load failed.'
    env = changed(ORIGINALS, torch=of('2.6.0'), checkpoint=error)
    reason = f'mmengine 0.10.7 cannot load its own checkpoints with torch 2.6.0: {error}'
    command = 'pip uninstall -y torch torchvision && pip install torch==2.5.1 torchvision==0.20.1'
    assert_finding(env, 'mmengine', 'error', reason, command)


@pytest.mark.parametrize(
    ('outcome', 'reason'),
    [
        (NO_OPERATORS, 'onedl-mmcv 2.3.6 has no compiled operators, mmdet and mmseg need them'),
        (UNDEFINED, 'onedl-mmcv 2.3.6 was not built for torch 2.12.1: .*undefined symbol'),
        ('crashed by SIGABRT', 'was not built for torch 2.12.1: crashed by SIGABRT'),
    ],
)
def test_mmcv(outcome, reason):
    assert_finding(changed(mmcv=outcome), 'mmcv', 'error', reason, REBUILD)


def test_no_mmcv():
    env = changed(mmcv=MISSING, without=['onedl-mmcv'])
    assert_finding(env, 'mmcv', 'error', 'needed by mmdet, mmseg, mmpretrain$', REBUILD)
    env = changed(ORIGINALS, mmcv=MISSING, without=['mmcv'])
    assert_finding(env, 'mmcv', 'error', 'needed by mmdet$', f"{BUILD}mmcv 'mmcv<2.2'")
    env = changed(env, mmdet=MISSING)
    assert_finding(env, 'mmcv', 'ok', 'only mmdet, mmseg, mmpretrain need it', '')


def test_an_original_mmcv_that_the_original_mmdet_refuses():
    error = 'AssertionError: MMCV==2.2.0 is used but incompatible. Please install mmcv<2.2.0.'
    env = changed(ORIGINALS, distributions={'mmcv': '2.2.0'}, mmdet=error)
    assert_finding(env, 'mmdet', 'error', error, f"{BUILD}mmcv 'mmcv<2.2'")


def test_mmcv_lite():
    lite = {'mmcv-lite': '2.1.0'}
    env = changed(ORIGINALS, distributions=lite, without=['mmcv'], mmcv=NO_OPERATORS)
    command = f'pip uninstall -y mmcv-lite && {BUILD}mmcv mmcv==2.1.0'
    assert_finding(env, 'mmcv', 'error', 'mmcv-lite 2.1.0 has no compiled operators', command)


def test_classifiers_do_without_compiled_operators():
    env = changed(mmcv=NO_OPERATORS, mmdet=MISSING, mmseg=MISSING)
    assert_finding(env, 'mmcv', 'warning', 'has no compiled operators', REBUILD)


def test_mmcv_built_without_cuda():
    env = changed(torch=of(gpu='NVIDIA H200'), mmcv_on_the_GPU=NO_CUDA)
    reason = 'NMS and RoIAlign do not run, mmcv was built for CUDA: not available: .*cuda:0 not found'
    assert_finding(env, 'mmcv on the GPU', 'error', reason, f'FORCE_CUDA=1 {REBUILD}')


def test_nothing_is_said_of_a_gpu_that_is_not_there():
    checks = [each.check for each in findings(changed(mmcv_on_the_GPU=NO_CUDA))]
    assert 'mmcv on the GPU' not in checks


@pytest.mark.parametrize(
    ('check', 'outcome', 'level', 'reason', 'command'),
    [
        ('mmdet', MISSING, 'ok', 'not installed: no detectors', ''),
        ('mmpretrain', MISSING, 'ok', 'not installed: no classifiers', ''),
        (
            *('mmdet', "ModuleNotFoundError: No module named 'terminaltables'", 'error'),
            *('needs terminaltables', 'pip install terminaltables'),
        ),
        (
            *('mmseg', "ModuleNotFoundError: No module named 'PIL'", 'error'),
            *('needs pillow', 'pip install pillow'),
        ),
        ('mmdet', "ModuleNotFoundError: No module named 'mmengine.x'", 'error', 'mmengine.x', ''),
        ('mmdet', 'AssertionError: MMCV==2.2.0 is used but', 'error', 'MMCV==2.2.0 is used but', ''),
    ],
)
def test_framework(check, outcome, level, reason, command):
    assert_finding(changed(**{check: outcome}), check, level, reason, command)


def test_mmseg_without_its_text_packages():
    error = "ModuleNotFoundError: No module named 'ftfy'"
    env = changed(without=['ftfy', 'regex'], mmseg=error)
    assert_finding(env, 'mmseg', 'error', 'needs ftfy and regex', 'pip install ftfy regex')


def test_what_only_suffers_says_what_to_mend_first():
    error = "ImportError: cannot import name 'nms'"
    env = changed(mmcv=UNDEFINED, mmdet=error, mmseg=error)
    for check in ('mmdet', 'mmseg'):
        assert_finding(env, check, 'error', f'^mend mmcv first: {error}$', '')
