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


def has_originals(env: Environment) -> bool:
    """Whether the original mmengine is installed, not its maintained build."""
    return owners(env, 'mmengine')[:1] in (['mmengine'], ['mmengine-lite'])


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
    found = owners(env, 'mmcv')
    uninstall = ''
    if found[:1] == [WITHOUT_OPERATORS]:
        uninstall = f'pip uninstall -y {WITHOUT_OPERATORS} && '
        what = f'mmcv=={env.distributions[WITHOUT_OPERATORS]}'
    elif found:
        what = f'{found[0]}=={env.distributions[found[0]]}'
    else:
        what = "'mmcv<2.2'" if has_originals(env) else pinned(env, 'onedl-mmcv')
    name = what.strip("'").split('=')[0].split('<')[0]
    cuda = 'FORCE_CUDA=1 ' if env.outcomes['torch'].facts.get('gpu') else ''
    return (
        f'{uninstall}{cuda}MMCV_WITH_OPS=1 pip install --no-build-isolation --no-deps '
        f'--force-reinstall --no-cache-dir --no-binary {name} {what}'
    )


def keep_one_family(env: Environment) -> str:
    """Uninstalls all of OpenMMLab's that is installed, and installs the maintained builds of it."""
    modules = [module for module in OWNERS if owners(env, module)]
    installed = [name for module in modules for name in owners(env, module)]
    kept = [OWNERS[module][0] for module in modules]
    return (
        f'pip uninstall -y {" ".join(installed)} && MMCV_WITH_OPS=1 pip install --no-build-isolation '
        f'{pinned(env, *kept)}'
    )
