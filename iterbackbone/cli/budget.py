"""``budget``: score and time of one checkpoint against the share of the MACs."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..files import check_writable, same_place
from .arguments import positive
from .paths import any_config, complete_config


def add_commands(commands: argparse._SubParsersAction) -> None:
    """``budget``."""
    parser = commands.add_parser(
        'budget',
        help='draw score and time against the share of the MACs',
        description="Evaluates each share of the fitted halting by the config's own evaluator on its "
        'test (or val) data; writes a picture and, beside it, a JSON file.',
    )
    config = 'file, or a name of ours, of any toolbox'
    parser.add_argument('config', metavar='CONFIG', help=config).completer = complete_config
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='that tools/fit_halting.py wrote')
    out = Path('work_dirs/budget.png')
    parser.add_argument('--out', type=Path, default=out, help='default: %(default)s')
    parser.add_argument('--images', type=positive, metavar='N', help='at most, evenly spread')
    parser.add_argument('--device', default='cpu', help='such as cuda:0; default: cpu')
    options = dict(nargs='+', default=[], metavar='KEY=VALUE')
    parser.add_argument('--cfg-options', help='override settings', **options)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure, print and write; ValueError where an argument is not what it must be."""
    if args.out.suffix != '.png' or args.out.is_dir():
        raise ValueError(f'--out must be a .png file, got {args.out}')
    if same_place(args.out.with_suffix('.json'), Path(args.checkpoint).with_suffix('.json')):
        raise ValueError(
            f"--out must not be named as CHECKPOINT: its .json has the fit's, got {args.out}"
        )
    for word in args.cfg_options:
        if '=' not in word:
            raise ValueError(f'--cfg-options must be KEY=VALUE, got {word}')
    config = any_config(args.config)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    check_writable(args.out)  # what fails is to fail at once
    from ..mm.budget_curve import budget_curve  # OpenMMLab, where a command needs it

    curve = budget_curve(config, args.checkpoint, args.device, args.images, args.cfg_options)
    print(curve.text())
    curve.write(args.out)
    print(f'{args.out}, {args.out.with_suffix(".json")}')
