"""Short commands around OpenMMLab's tools. CONFIG is a file, mmdet::FILE, or a name from `config`."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress

from . import __version__, environment
from .cli import commands
from .cli.demo import options as demo
from .cli.paths import complete_config, config_names, config_path, config_root, tool_path
from .text import printable

__all__ = ['config_names', 'config_path', 'config_root', 'main', 'tool_path']


def make_parser() -> argparse.ArgumentParser:
    """All commands; each sets ``run``."""
    parser = argparse.ArgumentParser('iterbackbone', description=__doc__)
    parser.add_argument('--version', action='version', version=f'iterbackbone {__version__}')
    parsers = parser.add_subparsers(dest='command', required=True)
    commands.add_commands(parsers)
    demo.add_command(parsers)
    config = parsers.add_parser('config', help="print a config's path, or list the configs")
    name = 'such as detection/NAME.py; without it all'
    config.add_argument('name', nargs='?', metavar='NAME', help=name).completer = complete_config
    names = '\n'.join(config_names())
    config.set_defaults(run=lambda args: print(config_path(args.name) if args.name else names))
    tool = parsers.add_parser('tool', help="print the path of an OpenMMLab package's tool")
    tool.add_argument('package', help='such as mmdet, mmseg, mmpretrain')
    tool.add_argument('name', help='such as train, test')
    tool.set_defaults(run=lambda args: print(tool_path(args.package, args.name)))
    checking = parsers.add_parser('check', help='say what does not work in this environment')
    environment.add_options(checking)
    checking.set_defaults(run=lambda args: sys.exit(environment.run(args)))
    return parser


def main() -> None:
    """The command line."""
    parser = make_parser()
    with suppress(ImportError):  # only completion needs it
        import argcomplete

        argcomplete.autocomplete(parser)
    args, unknown = parser.parse_known_args()
    if unknown:
        hint = ": the toolbox's options come after CONFIG" if 'rest' in args else ''
        parser.error(f'unrecognized arguments: {" ".join(unknown)}{hint}')
    with suppress(AttributeError):  # of a stream that is closed, or none of the system's
        sys.stdout.reconfigure(errors='backslashreplace')  # names of files may be no text
    try:
        args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on, as with head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)  # as a shell says of a program that SIGPIPE ended
    except (ValueError, OSError, ImportError) as error:
        extra = isinstance(error, ModuleNotFoundError)
        hint = "; pip install 'iterbackbone[openmmlab]' brings what commands need" if extra else ''
        parser.exit(2, f'{parser.prog} {args.command}: error: {printable(str(error))}{hint}\n')
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == '__main__':
    main()
