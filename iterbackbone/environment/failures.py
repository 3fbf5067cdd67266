"""Why a probe failed, where several packages may be the cause."""

from __future__ import annotations

import re

from .commands import OWNERS, SETUPTOOLS, has_originals, install, install_mmcv
from .description import Environment, Finding

# What numpy, and what was built for numpy 1, say under numpy 2.
BUILT_FOR_NUMPY_1 = 'NumPy 1|Numpy is not available|_ARRAY_API|multiarray failed|size changed'
SYSTEM_LIBRARY = r'lib(GL|glib|gthread)\S*: cannot open shared object'
NEWER_MMCV = 'MMCV==.* is used but incompatible'
NO_MODULE = r"No module named '(\w+)'"
DISTRIBUTIONS = {  # named otherwise than their module
    'cv2': 'opencv-python',
    'PIL': 'pillow',
    'yaml': 'pyyaml',
    **{module: names[0] for module, names in OWNERS.items()},
}


def failure(env: Environment, check: str, error: str, broken: list[str]) -> Finding:
    """The finding on a probe that failed.

    Args:
        env: Names versions.
        check: What was checked.
        error: What the probe said.
        broken: What it needs and what is an error already.
    """
    module = re.search(NO_MODULE, error)
    if has_originals(env) and re.search(NEWER_MMCV, error):
        return Finding(check, 'error', error, install_mmcv(env))
    if re.search(BUILT_FOR_NUMPY_1, error):
        return _built_for_numpy_1(env, check, error)
    if re.search(SYSTEM_LIBRARY, error):
        return Finding(check, 'error', error, 'apt-get install libgl1 libglib2.0-0')
    if module and module[1] == 'pkg_resources':
        return Finding(check, 'error', f'needs setuptools with pkg_resources: {error}', SETUPTOOLS)
    if module and module[1] != check and module[1] not in broken:
        name = DISTRIBUTIONS.get(module[1], module[1])
        return Finding(check, 'error', f'needs {name}: {error}', install(env, name))
    if broken:
        return Finding(check, 'error', f'mend {" and ".join(broken)} first: {error}')
    return Finding(check, 'error', error)


def _built_for_numpy_1(env: Environment, check: str, error: str) -> Finding:
    reason = f'was built for numpy 1, numpy is {env.distributions.get("numpy")}: {error}'
    if check == 'numpy':  # the probe hands an array to torch
        return Finding(check, 'error', f'torch {reason}', "pip install 'numpy<2'")
    name = DISTRIBUTIONS.get(check, check)
    return Finding(check, 'error', reason, f'pip install --upgrade {name}')
