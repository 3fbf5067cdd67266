"""Commands that mend."""

from __future__ import annotations

from .description import Environment, numbers

# Import name: distributions that own it, the maintained build first.
OWNERS = {
    'mmengine': ('onedl-mmengine', 'mmengine', 'mmengine-lite'),
    'mmcv': ('onedl-mmcv', 'mmcv', 'mmcv-full', 'mmcv-lite'),
    'mmdet': ('onedl-mmdetection', 'mmdet'),
    'mmseg': ('onedl-mmsegmentation', 'mmsegmentation'),
    'mmpretrain': ('onedl-mmpretrain', 'mmpretrain'),
}
WITHOUT_OPERATORS = 'mmcv-lite'
SETUPTOOLS = "pip install 'setuptools>=77,<81'"


def owners(env: Environment, module: str) -> list[str]:
    """The installed distributions that own an import name of OpenMMLab's."""
    return [name for name in OWNERS[module] if name in env.distributions]


def installed_owners(env: Environment) -> list[str]:
    """All of OpenMMLab's distributions that are installed."""
    return [name for module in OWNERS for name in owners(env, module)]


def has_originals(env: Environment) -> bool:
    """Whether original distributions are installed, and no maintained build."""
    names = installed_owners(env)
    return bool(names) and not any(name.startswith('onedl-') for name in names)


def pinned(env: Environment, *names: str) -> str:
    """Distributions with the versions that were run together, where there is one."""
    return ' '.join(f'{name}=={env.pins[name]}' if name in env.pins else name for name in names)


def install(env: Environment, *names: str) -> str:
    """Installs distributions."""
    return f'pip install {pinned(env, *names)}'


def install_torch(env: Environment, version: str) -> str:
    """Installs torch and the torchvision made for it, both from one place.

    Args:
        env: Names the pair that was run, for versions older than any supported.
        version: Of torch. torchvision 0.(minor + 15).patch is made for torch 2.minor.patch.
    """
    release = numbers(version)
    pair = pinned(env, 'torch', 'torchvision')
    if len(release) == 3 and (2, 1) <= release < (3,):
        major, minor, patch = release
        pair = f'torch=={major}.{minor}.{patch} torchvision==0.{minor + 15}.{patch}'
    return f'pip uninstall -y torch torchvision && pip install {pair}'


def install_mmcv(env: Environment) -> str:
    """Compiles mmcv for the torch that is installed, with CUDA where torch sees a GPU."""
    installed = {name: env.distributions[name] for name in owners(env, 'mmcv')}
    if has_originals(env):
        version = next(iter(installed.values()), '')
        name = 'mmcv'
        what = f'mmcv=={version}' if () < numbers(version) < (2, 2) else "'mmcv<2.2'"
    else:
        name = 'onedl-mmcv'
        what = f'{name}=={installed.get(name, env.pins[name])}'
    uninstall = f'pip uninstall -y {WITHOUT_OPERATORS} && ' if WITHOUT_OPERATORS in installed else ''
    cuda = 'FORCE_CUDA=1 ' if env.outcomes['torch'].facts.get('gpu') else ''
    return (
        f'{uninstall}{cuda}MMCV_WITH_OPS=1 pip install --no-build-isolation --no-deps '
        f'--force-reinstall --no-cache-dir --no-binary {name} {what}'
    )


def keep_one_family(env: Environment) -> str:
    """Uninstalls all of OpenMMLab's that is installed, and installs the maintained builds of it."""
    kept = [names[0] for module, names in OWNERS.items() if owners(env, module)]
    return (
        f'pip uninstall -y {" ".join(installed_owners(env))} && '
        f'MMCV_WITH_OPS=1 pip install --no-build-isolation {pinned(env, *kept)}'
    )
