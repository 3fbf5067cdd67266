"""``new``: a short config that inherits another and swaps the backbone in."""

from __future__ import annotations

import argparse
from pathlib import Path

from .paths import any_config


def add_command(commands: argparse._SubParsersAction) -> None:
    """``new``."""
    parser = commands.add_parser(
        'new',
        help='write a config with the backbone swapped in',
        description='Writes NAME.py, which inherits a config and swaps its backbone for '
        'IterativeResNet, checks that it builds, and says what changed.',
    )
    parser.add_argument('name', metavar='NAME', help='of the config to write')
    parser.add_argument(
        '--base', required=True, metavar='CONFIG', help='file, mmdet::FILE, or a name of ours'
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the config.

    Raises:
        ValueError: the file exists, there is no such base, or its backbone is no pyramid.
    """
    path = Path(args.name if args.name.endswith('.py') else f'{args.name}.py')
    if path.exists() or not path.absolute().parent.is_dir():
        raise ValueError(f'NAME must be a new file in a folder that exists, got {path}')
    base = any_config(args.base)
    from ..mm.new_config.command import write_config  # OpenMMLab, where a command needs it

    print(write_config(path, base, args.base if '::' in args.base else ''))
