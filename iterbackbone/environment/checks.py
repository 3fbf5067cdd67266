"""All checks, from an environment's description to findings."""

from __future__ import annotations

from .commands import SETUPTOOLS, install, install_torch, installed_owners
from .description import Environment, Finding, numbers
from .failures import failure
from .openmmlab_checks import FRAMEWORKS, OPENMMLAB_CHECKS

# As in setup.py, which tests hold them to.
LOWEST_PYTHON = (3, 10)
LOWEST_TORCH = (2, 1)
PYTHON_RUN = (3, 11)
NEW_ENVIRONMENT = 'python3.11 -m venv .venv && source .venv/bin/activate'


def findings(env: Environment) -> list[Finding]:
    """One finding a check, in the order in which errors are to be mended."""
    found = [check_python(env), check_setuptools(env)]
    broken: list[str] = []
    for check in (check_torch, check_numpy, check_torchvision, *OPENMMLAB_CHECKS, check_iterbackbone):
        finding = check(env, broken)
        if finding is None:
            continue
        found.append(finding)
        if finding.level == 'error' and finding.check not in FRAMEWORKS:
            broken.append(finding.check)
    return found


def check_python(env: Environment) -> Finding:
    """The interpreter's version."""
    version = '.'.join(map(str, env.python))
    if env.python < LOWEST_PYTHON:
        return Finding('python', 'error', f'{version}, 3.10 or newer is needed', NEW_ENVIRONMENT)
    if env.python != PYTHON_RUN:
        return Finding('python', 'warning', f'{version}, only 3.11 was run', NEW_ENVIRONMENT)
    return Finding('python', 'ok', version)


def check_setuptools(env: Environment) -> Finding:
    """Whether mmcv and iterbackbone can be built; what is built already does not mind."""
    version = env.distributions.get('setuptools', 'none')
    release = env.version('setuptools')
    if not installed_owners(env):  # plain PyTorch builds nothing
        return Finding(
            'setuptools', 'ok', f'{version}, only building OpenMMLab packages asks for 77 to 80'
        )
    if release < (77,):
        reason = f'{version}, onedl-mmcv and iterbackbone are not built by less than 77'
    elif release >= (81,):
        reason = f'{version}, not run; the originals need pkg_resources, which 82 removed'
    else:
        return Finding('setuptools', 'ok', version)
    return Finding('setuptools', 'warning', reason, SETUPTOOLS)


def check_torch(env: Environment, broken: list[str]) -> Finding:
    """torch, and whether it sees a GPU."""
    outcome = env.outcomes['torch']
    version = str(outcome.facts.get('version', env.distributions.get('torch', '')))
    if outcome.missing:
        return Finding('torch', 'error', 'not installed', install(env, 'torch', 'torchvision'))
    if outcome.error:
        return Finding('torch', 'error', outcome.error, install_torch(env, version))
    if numbers(version) < LOWEST_TORCH:
        reason = f'{version}, 2.1 or newer is needed'
        return Finding('torch', 'error', reason, install_torch(env, env.pins['torch']))
    cuda, gpu = outcome.facts.get('cuda'), outcome.facts.get('gpu')
    build = f'built for CUDA {cuda}' if cuda else 'built for the CPU'
    return Finding('torch', 'ok', f'{version}, {build}, {gpu or "no GPU seen"}')


def check_numpy(env: Environment, broken: list[str]) -> Finding:
    """numpy, alone and handing arrays to torch."""
    outcome = env.outcomes['numpy']
    if outcome.missing:
        return Finding('numpy', 'error', 'not installed', install(env, 'numpy'))
    if outcome.error:
        return failure(env, 'numpy', outcome.error, broken)
    return Finding('numpy', 'ok', env.distributions.get('numpy', ''))


def check_torchvision(env: Environment, broken: list[str]) -> Finding:
    """torchvision, by running an operator of its own."""
    outcome = env.outcomes['torchvision']
    torch = str(env.outcomes['torch'].facts.get('version', env.distributions.get('torch', '')))
    version = env.distributions.get('torchvision', '')
    mend = install_torch(env, torch)
    if outcome.missing and env.outcomes['mmengine'].missing:
        return Finding('torchvision', 'ok', 'not installed, only OpenMMLab needs it')
    if outcome.missing:
        return Finding('torchvision', 'warning', 'not installed, OpenMMLab needs it', mend)
    if not outcome.error:
        return Finding('torchvision', 'ok', version)
    if broken:
        return failure(env, 'torchvision', outcome.error, broken)
    build = 'built for CUDA' if env.outcomes['torch'].facts.get('cuda') else 'built for the CPU'
    reason = f'{version} does not go with torch {torch}, {build}: {outcome.error}'
    return Finding('torchvision', 'error', reason, mend)


def check_iterbackbone(env: Environment, broken: list[str]) -> Finding:
    """Whether tools of other packages can import this one, and run it."""
    outcome = env.outcomes['iterbackbone']
    if outcome.missing:
        reason = 'not installed, only found from the folder it lies in'
        return Finding('iterbackbone', 'warning', reason, 'pip install --no-build-isolation -e .')
    if outcome.error:
        return failure(env, 'iterbackbone', outcome.error, broken)
    return Finding('iterbackbone', 'ok', 'an IterativeResNet runs')
