"""Checks of the OpenMMLab packages: both families, compiled operators, checkpoints, imports."""

from __future__ import annotations

import re

from .commands import (
    OWNERS,
    has_originals,
    install,
    install_mmcv,
    install_torch,
    installed_owners,
    keep_one_family,
    owners,
)
from .description import Environment, Finding
from .failures import failure

FRAMEWORKS = {'mmdet': 'detectors', 'mmseg': 'segmentors', 'mmpretrain': 'classifiers'}
NEED_OPERATORS = ('mmdet', 'mmseg')
OTHER_TORCH = r'undefined symbol|lib(torch|c10|cudart)\S*: cannot open shared object|crashed by'
LAST_TORCH_OF_ORIGINALS = '2.5.1'  # torch 2.6 reads weights only unless told otherwise
TEXT_PACKAGES = ('ftfy', 'regex')  # mmseg imports them, its original does not require them


def check_families(env: Environment, broken: list[str]) -> Finding:
    """Maintained builds and originals own the same import names."""
    names = installed_owners(env)
    found = [owners(env, module) for module in OWNERS]
    doubled = [' and '.join(each) for each in found if len(each) > 1]
    maintained = [name for name in names if name.startswith('onedl-')]
    if doubled:
        reason = f'side by side, each overwrites files of the other: {"; ".join(doubled)}'
        return Finding('families', 'error', reason, keep_one_family(env))
    if maintained and len(maintained) < len(names):
        reason = f'maintained builds beside originals, not run: {", ".join(names)}'
        return Finding('families', 'warning', reason, keep_one_family(env))
    if not names:
        return Finding('families', 'ok', 'no OpenMMLab package is installed')
    return Finding('families', 'ok', 'maintained builds' if maintained else 'originals')


def check_opencv(env: Environment, broken: list[str]) -> Finding | None:
    """OpenCV, which mmcv imports."""
    return _import(env, 'cv2', broken)


def check_pycocotools(env: Environment, broken: list[str]) -> Finding | None:
    """pycocotools, which mmdet imports."""
    return _import(env, 'pycocotools', broken)


def _import(env: Environment, module: str, broken: list[str]) -> Finding | None:
    """Of what only other packages need: nothing is said where it is missing and they do without."""
    outcome = env.outcomes[module]
    if outcome.missing:
        return None
    if outcome.error:
        return failure(env, module, outcome.error, broken)
    return Finding(module, 'ok', 'loads')


def check_mmengine(env: Environment, broken: list[str]) -> Finding:
    """mmengine, and that it reads what it writes."""
    loads, reads = env.outcomes['mmengine'], env.outcomes['checkpoint']
    if loads.missing:
        every = [names[0] for names in OWNERS.values()]
        command = install(env, *every).replace('pip install', 'pip install --no-build-isolation')
        reason = 'not installed: IterativeResNet works in plain PyTorch only'
        return Finding('mmengine', 'warning', reason, f'MMCV_WITH_OPS=1 {command}')
    if loads.error:
        return failure(env, 'mmengine', loads.error, broken)
    version = _version(env, 'mmengine')
    if reads.error and 'weights' in reads.error.lower() and has_originals(env):
        torch = env.outcomes['torch'].facts.get('version')
        reason = f'{version} cannot load its own checkpoints with torch {torch}: {reads.error}'
        return Finding('mmengine', 'error', reason, install_torch(env, LAST_TORCH_OF_ORIGINALS))
    if reads.error:
        return failure(env, 'mmengine', f'checkpoints do not load: {reads.error}', broken)
    return Finding('mmengine', 'ok', f'{version}, loads its checkpoints')


def check_mmcv(env: Environment, broken: list[str]) -> Finding:
    """mmcv's compiled operators on the CPU."""
    outcome = env.outcomes['mmcv']
    users = [module for module in FRAMEWORKS if not env.outcomes[module].missing]
    if outcome.missing and not users:
        return Finding('mmcv', 'ok', f'not installed, only {", ".join(FRAMEWORKS)} need it')
    if outcome.missing:
        return Finding(
            'mmcv', 'error', f'not installed, needed by {", ".join(users)}', install_mmcv(env)
        )
    version = _version(env, 'mmcv')
    if not outcome.error:
        return Finding('mmcv', 'ok', f'{version}, NMS and RoIAlign run on the CPU')
    if re.search(r"No module named 'mmcv\.", outcome.error):
        level = 'error' if set(users) & set(NEED_OPERATORS) else 'warning'
        reason = f'{version} has no compiled operators, {" and ".join(NEED_OPERATORS)} need them'
        return Finding('mmcv', level, reason, install_mmcv(env))
    if broken:
        return failure(env, 'mmcv', outcome.error, broken)
    if re.search(OTHER_TORCH, outcome.error):
        torch = env.outcomes['torch'].facts.get('version')
        reason = f'{version} was not built for torch {torch}: {outcome.error}'
        return Finding('mmcv', 'error', reason, install_mmcv(env))
    return failure(env, 'mmcv', outcome.error, broken)


def check_mmcv_on_gpu(env: Environment, broken: list[str]) -> Finding | None:
    """mmcv's compiled operators on the GPU, where torch sees one."""
    outcome = env.outcomes['mmcv on the GPU']
    if 'mmcv' in broken or outcome.missing or not env.outcomes['torch'].facts.get('gpu'):
        return None
    if not outcome.error:
        return Finding('mmcv on the GPU', 'ok', 'NMS and RoIAlign run')
    cuda = env.outcomes['mmcv'].facts.get('cuda')
    reason = f'NMS and RoIAlign do not run, mmcv was built for CUDA: {cuda}: {outcome.error}'
    return Finding('mmcv on the GPU', 'error', reason, install_mmcv(env))


def check_mmdet(env: Environment, broken: list[str]) -> Finding:
    """mmdet."""
    return _framework(env, 'mmdet', broken)


def check_mmseg(env: Environment, broken: list[str]) -> Finding:
    """mmseg, and what its tokenizer imports."""
    lacking = [name for name in TEXT_PACKAGES if name not in env.distributions]
    if env.outcomes['mmseg'].error and lacking:
        return Finding('mmseg', 'error', f'needs {" and ".join(lacking)}', install(env, *lacking))
    return _framework(env, 'mmseg', broken)


def check_mmpretrain(env: Environment, broken: list[str]) -> Finding:
    """mmpretrain."""
    return _framework(env, 'mmpretrain', broken)


def _framework(env: Environment, module: str, broken: list[str]) -> Finding:
    outcome = env.outcomes[module]
    if outcome.missing:
        return Finding(module, 'ok', f'not installed: no {FRAMEWORKS[module]}')
    if outcome.error:
        return failure(env, module, outcome.error, broken)
    return Finding(module, 'ok', _version(env, module))


def _version(env: Environment, module: str) -> str:
    """Such as 'onedl-mmcv 2.3.6'."""
    return ' and '.join(f'{name} {env.distributions[name]}' for name in owners(env, module)) or module


OPENMMLAB_CHECKS = (
    check_opencv,
    check_pycocotools,
    check_families,
    check_mmengine,
    check_mmcv,
    check_mmcv_on_gpu,
    check_mmdet,
    check_mmseg,
    check_mmpretrain,
)
