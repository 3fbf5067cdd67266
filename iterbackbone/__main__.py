"""Prints paths for use with OpenMMLab's own tools, and checks the environment.

python -m iterbackbone config                     lists the configs
python -m iterbackbone config detection/NAME.py   prints that config's path
python -m iterbackbone tool mmdet train           prints the path of mmdet's tools/train.py
python -m iterbackbone tool iterbackbone analyze_iterations   and of this package's own
python -m iterbackbone check                      what does not work in this environment
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from . import __version__, environment
from .files import shipped
from .text import nearest


def config_root() -> Path:
    """The configs inside the installed package, or beside it in a checkout."""
    return shipped('configs')


def config_names() -> list[str]:
    """All configs but those below ``_base_``, relative to the root."""
    root = config_root()
    names = (path.relative_to(root) for path in root.rglob('*.py'))
    return sorted(str(name) for name in names if name.parts[0] != '_base_')


def config_path(name: str) -> Path:
    """Path of a config.

    Raises:
        ValueError: there is none of that name.
    """
    names = config_names()
    wanted = name.removesuffix('.py')
    matches = [n for n in names if wanted in (n.removesuffix('.py'), Path(n).stem)]
    if len(matches) != 1:
        near = nearest(wanted, [n.removesuffix('.py') for n in names])
        raise ValueError(
            f'config must be one that "python -m iterbackbone config" lists, got {name!r}{near}'
        )
    return config_root() / matches[0]


def tool_path(package: str, name: str) -> Path:
    """Path of an OpenMMLab package's tool, such as ('mmdet', 'train').

    Raises:
        ValueError: the package is not installed or ships no such tool.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        near = nearest(package, [*environment.OPENMMLAB, 'iterbackbone'])
        raise ValueError(f'package must be installed, got {package!r}{near}')
    home = Path(spec.origin).parent
    for root in (home / '.mim', home.parent):  # installed, or a checkout
        path = root / 'tools' / f'{name}.py'
        if path.is_file():
            return path
    tools = [path.stem for root in (home / '.mim', home.parent) for path in root.glob('tools/*.py')]
    raise ValueError(
        f'tool must be one that {package} ships, got {name!r}: none in {home}/.mim/tools'
        f'{nearest(name, tools)}'
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog='python -m iterbackbone',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=f'iterbackbone {__version__}')
    commands = parser.add_subparsers(dest='command', required=True)
    config = commands.add_parser('config', help="print a config's path, or list the configs")
    config.add_argument('name', nargs='?')
    tool = commands.add_parser('tool', help="print the path of an OpenMMLab package's tool")
    tool.add_argument('package', help='such as mmdet, mmseg, mmpretrain')
    tool.add_argument('name', help='such as train, test')
    check = commands.add_parser('check', help='say what does not work in this environment')
    environment.add_options(check)
    args = parser.parse_args()
    if args.command == 'check':
        sys.exit(environment.run(args))
    try:
        if args.command == 'tool':
            print(tool_path(args.package, args.name))
        elif args.name:
            print(config_path(args.name))
        else:
            print('\n'.join(config_names()))
    except ValueError as error:
        parser.error(str(error))


if __name__ == '__main__':
    main()
