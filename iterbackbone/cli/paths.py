"""Where configs and tools lie: this package's own and OpenMMLab's."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ..environment import OPENMMLAB
from ..files import shipped
from ..text import nearest


def config_root() -> Path:
    """The configs inside the installed package, or beside it in a checkout."""
    return shipped('configs')


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
    return _path_in(package, 'tool', name, '*', '.py')


def _path_in(package: str, kind: str, name: str, known: str, suffix: str = '') -> Path:
    """A tool or config, named without ``suffix``, of a package that is installed or a checkout."""
    spec = find_spec(package) if package.isidentifier() else None  # 'a.b' would import a
    if spec is None or spec.origin is None:
        near = nearest(package, [*OPENMMLAB, 'iterbackbone'])
        raise ValueError(f'package must be installed, got {package!r}{near}')
    home = Path(spec.origin).parent
    folders = [root / f'{kind}s' for root in (home / '.mim', home.parent)]
    for folder in folders:
        if (path := folder / f'{name}{suffix}').is_file():
            return path
    paths = [path.relative_to(each) for each in folders for path in each.glob(known + suffix)]
    near = nearest(name, [path.as_posix().removesuffix(suffix) for path in paths])
    raise ValueError(
        f'{kind} must be one that {package} ships, got {name!r}: none in {folders[0]}{near}'
    )


def any_config(name: str) -> Path:
    """A config by its path, as 'mmdet::FILE', or by a name of ours; ValueError for none."""
    if '::' in name:
        package, _, file = name.partition('::')
        return _path_in(package, 'config', file, '**/*.py')
    if Path(name).is_file():
        return Path(name)
    try:
        return config_path(name)
    except ValueError as error:
        raise ValueError(f'{name!r} is no file, and {error}') from None
