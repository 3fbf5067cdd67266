"""The commands but ``demo``: the options of each, and what it calls."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ..files import same_place
from ..text import aligned
from .arguments import new_file, new_folder, positive
from .demo.options import shipped_detector
from .paths import any_config, complete_config, tool_path

CLASSIFIER = 'iterative-r50-w32_anytime_cifar10-subset'  # its backbone has trained weights
GPUS = argparse.ArgumentParser(add_help=False, allow_abbrev=False)  # the option that is ours
GPUS.add_argument('--gpus', type=positive, metavar='N', help='start N processes under torchrun')
MEASURED = ('GMACs, lowest', 'highest', 'ms, lowest', 'highest', 'MB')
HEADER = ('backbone', 'parameters, M', *MEASURED, 'figure')


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Each sets ``run``, which raises ValueError where an argument is not what it must be."""
    _add_new(commands)
    _add_train_and_test(commands)
    _add_budget(commands)
    _add_variants(commands)


def _add_new(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        'new',
        help='write a config with the backbone swapped in, or for your own data',
        description='Writes NAME.py, which inherits a config and swaps its backbone for '
        'IterativeResNet, checks that it builds, and says what changed. With --data it trains on a '
        'folder in COCO, VOC or YOLO layout or of class folders; cleaned annotations go to NAME_data.',
    )
    name = parser.add_argument('name', metavar='NAME', help='of the config to write')
    name.type = lambda text: new_file(f'{text.removesuffix(".py")}.py')
    base = 'file, mmdet::FILE, or a name of ours; needed without --data'
    parser.add_argument('--base', metavar='CONFIG', help=base)
    parser.add_argument('--data', type=Path, metavar='FOLDER', help='with your pictures')
    task = 'of --data; else found by its layout'
    parser.add_argument('--task', choices=['detection', 'classification'], help=task)
    parser.set_defaults(run=_new)


def _new(args: argparse.Namespace) -> None:
    path = args.name
    if path.name.startswith('.') or path.exists() or not str(path).isprintable():
        raise ValueError(f'NAME must be a new file of a printable name, got {path}')
    if args.data is not None:
        detector, checkpoint = shipped_detector()
        names = {'detection': detector, 'classification': CLASSIFIER}
        bases = {task: any_config(args.base or name) for task, name in names.items()}
        from ..mm.new_data.command import write_data_config  # OpenMMLab, where a command needs it

        starts = {} if args.base else {'detection': checkpoint}
        print(*write_data_config(path, args.data, args.task, bases, starts), sep='\n')
        return
    if args.base is None:
        raise ValueError('one of --base and --data must be given')
    base = any_config(args.base)
    from ..mm.new_config.command import write_config

    print(write_config(path, base, args.base if '::' in args.base else ''))


def _add_train_and_test(commands: argparse._SubParsersAction) -> None:
    for name, more in (('train', ''), ('test', ' with a checkpoint')):
        parser = commands.add_parser(
            name,
            help=f"{name}{more}, by the config's own toolbox",
            description=f"Starts {name}.py of the config's own toolbox: mmdet, mmseg or mmpretrain. "
            f'All options but --gpus are its own: "iterbackbone {name} CONFIG --help" lists them.',
            parents=[GPUS],
        )
        config = 'file, mmdet::FILE, or a name of ours'
        parser.add_argument('config', metavar='CONFIG', help=config).completer = complete_config
        rest = "of the toolbox's tool, such as CHECKPOINT, --work-dir, --cfg-options"
        parser.add_argument('rest', nargs=argparse.REMAINDER, metavar='...', help=rest)
        parser.set_defaults(run=_hand_over)


def _hand_over(args: argparse.Namespace) -> None:
    """Become the toolbox's tool."""
    GPUS.prog = f'iterbackbone {args.command}'
    args, rest = GPUS.parse_known_args(args.rest, namespace=args)
    config = any_config(args.config)
    name = next(iter(rest), '-')  # of CHECKPOINT, without whose file mmengine ends in a traceback
    file = name.startswith('-') or '://' in name or os.path.isfile(os.path.expanduser(name))
    if args.command == 'test' and not file:
        raise ValueError(f'CHECKPOINT must be a file or an address, got {name!r}')
    from torch.cuda import device_count  # this and OpenMMLab, where a command needs it

    from ..mm.configs import read_config, toolbox_of

    tool = tool_path(toolbox_of(read_config(config)), args.command)
    if args.gpus and args.gpus > (most := device_count()):
        raise ValueError(f'--gpus must be at most the {most} that torch sees, got {args.gpus}')
    command = [str(tool), str(config), *rest]
    if args.gpus:
        torchrun = ['-m', 'torch.distributed.run', '--standalone', f'--nproc-per-node={args.gpus}']
        command = [*torchrun, *command, '--launcher', 'pytorch']
    print(*command, flush=True)
    os.execv(sys.executable, [sys.executable, *command])


def _add_budget(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        'budget',
        help='draw score and time against the share of the MACs',
        description="Evaluates each share of the fitted halting by the config's own evaluator on its "
        'test (or val) data; writes a picture and, beside it, a JSON file.',
    )
    config = 'file, or a name of ours, of any toolbox'
    parser.add_argument('config', metavar='CONFIG', help=config).completer = complete_config
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='that tools/fit_halting.py wrote')
    out = parser.add_argument('--out', default='work_dirs/budget.png', help='default: %(default)s')
    out.type = lambda text: new_folder(os.path.dirname(text) or '.') / os.path.basename(text)
    parser.add_argument('--images', type=positive, metavar='N', help='at most, evenly spread')
    parser.add_argument('--device', default='cpu', help='such as cuda:0; default: cpu')
    options = dict(nargs='+', default=[], metavar='KEY=VALUE')
    parser.add_argument('--cfg-options', help='override settings', **options)
    parser.set_defaults(run=_budget)


def _budget(args: argparse.Namespace) -> None:
    if args.out.suffix != '.png' or args.out.is_dir():
        raise ValueError(f'--out must be a .png file, got {args.out}')
    table = args.out.with_suffix('.json')
    if same_place(table, Path(args.checkpoint).with_suffix('.json')):
        raise ValueError(
            f"--out must not be named as CHECKPOINT: its .json has the fit's, got {args.out}"
        )
    if wrong := [word for word in args.cfg_options if '=' not in word]:
        raise ValueError(f'--cfg-options must be KEY=VALUE, got {wrong[0]}')
    config = any_config(args.config)
    from ..mm.budget_curve import budget_curve

    curve = budget_curve(config, args.checkpoint, args.device, args.images, args.cfg_options)
    print(curve.text())
    curve.write(args.out)
    print(f'{args.out}, {table}')


def _add_variants(commands: argparse._SubParsersAction) -> None:
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
    parser.set_defaults(run=_variants)


def _variants(args: argparse.Namespace) -> None:
    if args.target_ms is not None and not args.target_ms > 0:
        raise ValueError(f'--target-ms must be above 0, got {args.target_ms:g}')
    # torch, where a command needs it
    from ..pretrained.variants import ADVICE, recommendation, variants

    found, where = variants(tuple(args.input), args.device, args.again, _show)
    print('\n'.join(aligned([HEADER, *map(_cells, found)])))
    for each in found:
        if each.figure:
            print(f'{each.name}: {" ".join(each.figure)}')
    print(where)
    for place, (name, reason) in ADVICE.items():
        print(f'{place}: {name}: {reason}')
    if args.target_ms is not None:
        print(f'Recommended: {recommendation(found, args.target_ms)}')


def _cells(each) -> list[str]:
    values = (*(x / 1e9 for x in each.macs), *each.ms, each.memory)
    numbers = [f'{x:.0f}' if x >= 100 else f'{x:.3g}' for x in values]
    figure = each.figure[1].split(' (')[0] if each.figure else ''
    return [each.name, f'{each.parameters / 1e6:.1f}', *numbers, figure]


def _show(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f'run {done} of {total}', end='\r' if done < total else '\n', file=sys.stderr)
