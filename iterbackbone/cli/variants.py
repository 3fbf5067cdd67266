"""``variants``: all backbones by name as a table, and which to take for a time."""

from __future__ import annotations

import argparse
import sys

from ..text import aligned
from .arguments import positive

MEASURED = ('GMACs, lowest', 'highest', 'ms, lowest', 'highest', 'MB')
HEADER = ('backbone', 'parameters, M', *MEASURED, 'figure')


def add_commands(commands: argparse._SubParsersAction) -> None:
    """``variants``."""
    parser = commands.add_parser(
        'variants',
        help='compare the backbones by name: parameters, MACs, time on this machine',
        description="Times one image with random weights, and keeps that in the user's cache folder.",
    )
    size = parser.add_argument('--input', nargs=2, type=positive, default=(224, 224))
    size.metavar, size.help = ('H', 'W'), 'of the image; default: 224 224'
    parser.add_argument('--target-ms', type=float, metavar='MS', help='recommend one for this time')
    parser.add_argument('--device', default='cpu', help='such as cuda:0; default: cpu')
    parser.add_argument('--again', action='store_true', help='measure, whatever is kept')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure, or read what was measured, and print; ValueError where the target is no time."""
    if args.target_ms is not None and not args.target_ms > 0:
        raise ValueError(f'--target-ms must be above 0, got {args.target_ms:g}')
    # torch, where a command needs it
    from ..pretrained.variants import ADVICE, recommendation, variants

    found, where = variants(tuple(args.input), args.device, args.again, show)
    print('\n'.join(aligned([HEADER, *map(cells, found)])))
    for each in found:
        if each.figure:
            print(f'{each.name}: {" ".join(each.figure)}')
    print(where)
    for place, (name, reason) in ADVICE.items():
        print(f'{place}: {name}: {reason}')
    if args.target_ms is not None:
        print(f'Recommended: {recommendation(found, args.target_ms)}')


def cells(each) -> list[str]:
    """A line of the table."""
    values = (*(x / 1e9 for x in each.macs), *each.ms, each.memory)
    numbers = [f'{x:.0f}' if x >= 100 else f'{x:.3g}' for x in values]
    figure = each.figure[1].split(' (')[0] if each.figure else ''
    return [each.name, f'{each.parameters / 1e6:.1f}', *numbers, figure]


def show(done: int, total: int) -> None:
    """Progress, in a terminal."""
    if sys.stderr.isatty():
        print(f'run {done} of {total}', end='\r' if done < total else '\n', file=sys.stderr)
