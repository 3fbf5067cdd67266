"""From an evaluation's iteration log to figures and a report.

Give one evaluation folder (WORK_DIR/TIMESTAMP/iterations/test_epoch_N), or several to see two
networks, or one network at several budgets, side by side.
"""

import argparse
import os
from pathlib import Path

from iterbackbone.cli.arguments import new_folder, one_line
from iterbackbone.report.analysis import analyze
from iterbackbone.report.command_line import add_gain_options, load, measure_gains
from iterbackbone.text import printable


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folders', nargs='+', type=Path, help='evaluation folders', metavar='FOLDER')
    parser.add_argument(
        '--out', type=new_folder, required=True, help='folder for the report and the figures'
    )
    parser.add_argument(
        '--names', nargs='+', help='what to call the evaluations, one a folder; give it last'
    )
    parser.add_argument(
        '--image-root',
        type=Path,
        action='append',
        default=argparse.SUPPRESS,
        help='only images below it are drawn, relative paths are of the first; may be given several '
        'times; default: the current folder and the data root of the configs',
    )
    score = parser.add_argument('--score-thr', type=float, default=0.3)
    score.help = 'lowest score of predicted boxes that are drawn; default: %(default)s'
    gain = 'does adapting pay? Give the static budgets of the same network on the same images'
    add_gain_options(parser.add_argument_group(gain), required=False)
    args = parser.parse_args()
    if not 0 <= args.score_thr <= 1:
        parser.error(f'argument --score-thr: must be 0 to 1, got {args.score_thr:g}')
    return parser, args


def measured_gains(args, evaluations):
    """None without a menu; of its budgets, those that the report shows, too, are no policies."""
    if not args.menu:
        return None
    menu = load(args.menu)
    static = {evaluation.folder.resolve() for evaluation in menu}
    policies = [each for each in evaluations if each.folder.resolve() not in static]
    measured, _ = measure_gains(args, policies, menu)
    return measured


def main():
    parser, args = parse_args()
    with one_line(parser):
        evaluations = load(args.folders, args.names)
        measured = measured_gains(args, evaluations)
    # The configs' own default: data is often a link, or its root an absolute path.
    roots = vars(args).get('image_root') or [
        Path(),
        Path(os.environ.get('ITERBACKBONE_DATA_ROOT', 'data')),
    ]
    with one_line(parser, '--out'):
        summaries = analyze(evaluations, args.out, roots, args.score_thr, measured)
    for summary in summaries:
        print(printable(f'{summary["name"]}: {summary["num_images"]} images'))
        for sentence in summary['sentences']:
            print(f'  {sentence}')
    if measured is not None:
        print(f'\n{printable(measured.verdict)}')
    print(f'\n{args.out / "report.html"}')


if __name__ == '__main__':
    main()
