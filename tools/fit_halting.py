"""Fits the halting units of a trained network, so that one checkpoint serves every budget.

Features stay as they are. Write FITTED.pth and FITTED.json; choose a budget by
--cfg-options model.backbone.budget.share=0.5 or backbone.set_budget(share=0.5). Train with
AnytimeHook first. An interrupted run goes on where it was.
"""

import argparse
import shutil
import sys
from pathlib import Path

from mmengine.config import DictAction
from tqdm import tqdm

from iterbackbone.cli.arguments import check_out, one_line
from iterbackbone.files import check_writable
from iterbackbone.mm.fitting.command import fit_checkpoint
from iterbackbone.mm.fitting.images import FitOptions, ImageSpec


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', type=Path, help='config file path')
    parser.add_argument('checkpoint', help='trained with AnytimeHook; a file, or iterbackbone://NAME')
    parser.add_argument('--out', type=Path, required=True, metavar='FITTED.pth', help='to write')
    parser.add_argument(
        '--fit',
        type=spec,
        default='val[::2]',
        metavar='IMAGES',
        help="images for the units, such as 'train[1400:]': the features must not be trained on "
        'them; every second one of val by default',
    )
    parser.add_argument(
        '--calibrate',
        type=spec,
        default='val[1::2]',
        metavar='IMAGES',
        help='other images, for budgets and figures',
    )
    parser.add_argument(
        '--group-by',
        metavar='KEY',
        help='metainfo of a sample that names its source: cross-validation keeps sources apart',
    )
    parser.add_argument(
        '--trained-on-these',
        action='store_true',
        help='allow images of the training set: the exception is noted in the file',
    )
    parser.add_argument(
        '--max-drop',
        type=float,
        metavar='POINTS',
        help='also find the cheapest share that loses less than this against full depth, with 95%% '
        'confidence',
    )
    parser.add_argument('--device', default='cpu', help='such as cuda:0')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='override settings')
    args = parser.parse_args(argv)
    if args.out.suffix != '.pth' or args.out.is_dir() or not args.out.absolute().parent.is_dir():
        parser.error(f'argument --out: must be a .pth file in a folder that exists, got {args.out}')
    check_out(parser, args.out, CHECKPOINT=args.checkpoint)
    if args.max_drop is not None and not args.max_drop > 0:
        parser.error(f'argument --max-drop: must be above 0, got {args.max_drop}')
    return parser, args


def spec(text):
    try:
        return ImageSpec.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main(argv=None):
    parser, args = parse_args(argv)
    cache = args.out.with_name(args.out.name + '.cache')
    options = FitOptions(
        args.fit, args.calibrate, args.group_by, args.trained_on_these, args.max_drop, args.device
    )
    with one_line(parser):
        check_writable(args.out)
        report = fit_checkpoint(
            args.config, args.checkpoint, args.out, cache, options, args.cfg_options, bar
        )
        print(report.text())
        path = args.out.with_suffix('.json')
        report.write(path)
    shutil.rmtree(cache, ignore_errors=True)
    print(f'\nFitted checkpoint: {args.out}\nFigures:           {path}')


def bar(items, **options):
    return tqdm(items, file=sys.stderr, disable=None, leave=False, **options)


if __name__ == '__main__':
    main()
