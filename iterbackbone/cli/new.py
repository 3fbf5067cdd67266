"""``new``: a short config that inherits another, with the backbone swapped in or for own data."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..files import check_writable
from .demo.options import shipped_detector
from .paths import any_config

CLASSIFIER = 'iterative-r50-w32_anytime_cifar10-subset'  # its backbone has trained weights


def add_commands(commands: argparse._SubParsersAction) -> None:
    """``new``."""
    parser = commands.add_parser(
        'new',
        help='write a config with the backbone swapped in, or for your own data',
        description='Writes NAME.py, which inherits a config and swaps its backbone for '
        'IterativeResNet, checks that it builds, and says what changed. With --data it trains on a '
        'folder in COCO, VOC or YOLO layout or of class folders; cleaned annotations go to NAME_data.',
    )
    parser.add_argument('name', metavar='NAME', help='of the config to write')
    base = 'file, mmdet::FILE, or a name of ours; needed without --data'
    parser.add_argument('--base', metavar='CONFIG', help=base)
    parser.add_argument('--data', type=Path, metavar='FOLDER', help='with your pictures')
    task = 'of --data; else found by its layout'
    parser.add_argument('--task', choices=['detection', 'classification'], help=task)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the config; ValueError where it exists, or the base does not fit."""
    path = Path(args.name if args.name.endswith('.py') else f'{args.name}.py')
    if path.name.startswith('.') or path.exists() or not path.absolute().parent.is_dir():
        raise ValueError(f'NAME must be a new file in a folder that exists, got {path}')
    check_writable(path)
    if args.data is not None:
        detector, checkpoint = shipped_detector()
        names = {'detection': detector, 'classification': CLASSIFIER}
        bases = {task: any_config(args.base or name) for task, name in names.items()}
        from ..mm.new_data.command import write_data_config  # OpenMMLab, where a command needs it

        starts = {} if args.base else {'detection': checkpoint}
        print(write_data_config(path, args.data, args.task, bases, starts))
        return
    if args.base is None:
        raise ValueError('one of --base and --data must be given')
    base = any_config(args.base)
    from ..mm.new_config.command import write_config

    print(write_config(path, base, args.base if '::' in args.base else ''))
