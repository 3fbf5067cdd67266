"""``train`` and ``test``: hand over to the tool of the toolbox that a config belongs to."""

from __future__ import annotations

import argparse
import os
import sys

from .arguments import positive
from .paths import any_config, complete_config, tool_path

DESCRIPTION = (
    "Starts the {name}.py of the config's own toolbox: mmdet, mmseg or mmpretrain. All options but "
    '--gpus are its own: "iterbackbone {name} CONFIG --help" lists them.'
)
GPUS = argparse.ArgumentParser(add_help=False, allow_abbrev=False)  # the option that is ours
GPUS.add_argument('--gpus', type=positive, metavar='N', help='start N processes under torchrun')


def add_commands(commands: argparse._SubParsersAction) -> None:
    """``train`` and ``test``."""
    for name, more in (('train', ''), ('test', ' with a checkpoint')):
        parser = commands.add_parser(
            name,
            help=f"{name}{more}, by the config's own toolbox",
            description=DESCRIPTION.format(name=name),
            parents=[GPUS],
        )
        config = 'file, mmdet::FILE, or a name of ours'
        parser.add_argument('config', metavar='CONFIG', help=config).completer = complete_config
        rest = "of the toolbox's tool, such as CHECKPOINT, --work-dir, --cfg-options"
        parser.add_argument('rest', nargs=argparse.REMAINDER, metavar='...', help=rest)
        parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Become the toolbox's tool; ValueError for a wrong config, or too few GPUs."""
    args, rest = GPUS.parse_known_args(args.rest, namespace=args)
    config = any_config(args.config)
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
