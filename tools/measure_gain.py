"""Does adapting pay? The gain of policies over static budgets of the same network and mean MACs.

Give the evaluation folders (WORK_DIR/TIMESTAMP/iterations/test_epoch_N) of one policy or more, and
those of 2 to 8 static budgets on the same images.
"""

import argparse
import json
import sys
from functools import partial
from pathlib import Path

from tqdm import tqdm

from iterbackbone.files import whole_file
from iterbackbone.report.evaluation import load_evaluations
from iterbackbone.report.gain_measurement import measure_evaluations
from iterbackbone.report.measured_gains import MeasuredGains, verdict_of
from iterbackbone.stats.gain_verdict import amount
from iterbackbone.text import printable


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    folders = dict(nargs='+', type=Path, metavar='FOLDER')
    parser.add_argument('--policy', required=True, help='evaluations to judge', **folders)
    parser.add_argument('--menu', required=True, help='evaluations at static budgets', **folders)
    parser.add_argument(
        '--calibration-menu',
        help='the same budgets on other images, which choose the envelope; without them half of the '
        'images do',
        **folders,
    )
    parser.add_argument(
        '--more-static', default=[], help='evaluations at further depths, for the shuffles', **folders
    )
    parser.add_argument(
        '--groups', type=Path, metavar='FILE', help='JSON object from img_id to its source image'
    )
    parser.add_argument(
        '--score', help='top1, ap50, map, mean_iou or a field of the records; by default of the task'
    )
    parser.add_argument(
        '--other-seeds', nargs='+', default=[], type=Path, metavar='FILE', help='earlier --out files'
    )
    parser.add_argument(
        '--rest-macs',
        type=float,
        default=0.0,
        help='MACs an image of neck and head, which the log does not hold; they count in the shares',
    )
    parser.add_argument('--seed', type=int, default=0, help='of the split and the resamples')
    parser.add_argument('--out', type=Path, metavar='FILE', help='where to write all figures, as JSON')
    return parser, parser.parse_args()


def read_groups(path):
    """The source of each image."""
    try:
        groups = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise ValueError(f'--groups: {path} cannot be read: {error}') from None
    if not isinstance(groups, dict):
        raise ValueError(f'--groups: {path} must be an object from img_id to source')
    return groups


def load(folders):
    evaluations = load_evaluations(folders) if folders else []
    for evaluation in evaluations:
        for problem in evaluation.problems[:20]:
            print(printable(f'problem: {problem}'), file=sys.stderr)
    return evaluations


def table(measured):
    """Lines of text."""
    yield f'{"static budget":24} {"MACs":>6} {measured.score:>9}'
    for budget in measured.menu:
        mark = '  on the envelope' if budget.vertex else ''
        yield f'{budget.name:24} {budget.share:6.1%} {budget.score:9.4g}{mark}'
    titles = f'{"policy":24} {"MACs":>6} {measured.score:>9} {"gain":>7} {"95% interval":>16}'
    yield f'{titles}  shuffled depths'
    for name, gain in zip(measured.policies, measured.gains, strict=True):
        interval = f'{amount(gain.low, measured.unit)} to {amount(gain.high, measured.unit)}'
        shuffled = gain.shuffled
        beside = f'{shuffled.score:.4g} (p = {shuffled.p_value:.3f})' if shuffled else 'not measured'
        values = (
            f'{gain.share:6.1%} {gain.score:9.4g} {amount(gain.value, measured.unit):>7} {interval:>16}'
        )
        yield f'{name:24} {values}  {beside}'
    for note in measured.notes:
        yield f'note: {note}'


def main():
    parser, args = parse_args()
    progress = partial(tqdm, desc='measuring', delay=2, leave=False, disable=None)
    try:
        others = [MeasuredGains.read(path) for path in args.other_seeds]
        measured = measure_evaluations(
            load(args.policy),
            load(args.menu),
            calibration_menu=load(args.calibration_menu) or None,
            more_static=load(args.more_static),
            groups=read_groups(args.groups) if args.groups else None,
            score=args.score,
            rest_macs=args.rest_macs,
            seed=args.seed,
            progress=progress,
        )
        sentence = verdict_of([measured, *others])
    except ValueError as error:
        parser.error(printable(str(error)))
    for seed in [measured, *others]:
        for line in table(seed):
            print(printable(line))
        print()
    print(sentence)
    if args.out:
        try:
            with whole_file(args.out) as file:
                file.write(
                    (json.dumps({**measured.as_json(), 'verdict': sentence}, indent=2) + '\n').encode()
                )
        except OSError as error:
            parser.error(f'argument --out: {error}')


if __name__ == '__main__':
    main()
