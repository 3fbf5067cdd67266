"""Where configs and tools lie: this package's own and OpenMMLab's."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ..files import PACKAGE
from ..text import nearest


def config_root() -> Path:
    """The configs inside the installed package, or beside it in a checkout."""
    path = PACKAGE / '.mim/configs'
    return path if path.exists() else PACKAGE.parent / 'configs'


def config_names() -> list[str]:
    """All configs but those below ``_base_``, relative to the root."""
    root = config_root()
    names = [path.relative_to(root).as_posix() for path in root.rglob('*.py')]
    return sorted(name for name in names if not name.startswith('_base_'))


def complete_config(**_: object) -> list[str]:
    """For argcomplete; of its own it goes on with files."""
    return [name.removesuffix('.py') for name in config_names()]


def config_path(name: str) -> Path:
    """Path of a config; ValueError where there is none of that name."""
    names, wanted = complete_config(), name.removesuffix('.py')
    matches = [each for each in names if wanted in (each, Path(each).name)]
    if len(matches) != 1:
        near = nearest(wanted, names)
        raise ValueError(f'config must be one that "iterbackbone config" lists, got {name!r}{near}')
    return config_root() / f'{matches[0]}.py'


def tool_path(package: str, name: str) -> Path:
    """Path of an OpenMMLab package's tool, such as ('mmdet', 'train'); ValueError for none."""
    return _path_in(package, 'tool', name, f'{name}.py')


def _path_in(package: str, kind: str, name: str, file: str) -> Path:
    """A tool or config of a package that is installed or a checkout."""
    spec = find_spec(package) if package.isidentifier() else None  # 'a.b' would import a
    if spec is None or spec.origin is None:
        raise ValueError(f'package must be installed, got {package!r}')
    home = Path(spec.origin).parent
    folders = [root / f'{kind}s' for root in (home / '.mim', home.parent)]
    for folder in folders:
        if (folder / file).is_file():
            return folder / file
    raise ValueError(f'{kind} must be one that {package} ships, got {name!r}: none in {folders[0]}')


def any_config(name: str) -> Path:
    """A config by its path, as 'mmdet::FILE', or by a name of ours; ValueError for none."""
    if '::' in name:
        package, _, file = name.partition('::')
        return _path_in(package, 'config', file, file)
    if Path(name).is_file():
        return Path(name)
    try:
        return config_path(name)
    except ValueError as error:
        raise ValueError(f'{name!r} is no file, and {error}') from None
