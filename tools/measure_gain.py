"""Does adapting pay? The gain of policies over static budgets of the same network and mean MACs.

Give the evaluation folders (WORK_DIR/TIMESTAMP/iterations/test_epoch_N) of one policy or more, and
those of 2 to 8 static budgets on the same images.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from iterbackbone.cli.arguments import new_file, one_line
from iterbackbone.files import whole_file
from iterbackbone.report.command_line import add_gain_options, load, measure_gains
from iterbackbone.stats.gain_verdict import amount
from iterbackbone.text import printable


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--policy', required=True, nargs='+', type=Path, metavar='FOLDER', help='evaluations to judge'
    )
    add_gain_options(parser, required=True)
    parser.add_argument(
        '--out', type=new_file, metavar='FILE', help='where to write all figures, as JSON'
    )
    return parser, parser.parse_args()


def table(measured):
    """Lines of text."""
    yield f'{"static budget":24} {"MACs":>6} {printable(measured.score):>9}'
    for budget in measured.menu:
        mark = '  on the envelope' if budget.vertex else ''
        yield f'{printable(budget.name):24} {budget.share:6.1%} {budget.score:9.4g}{mark}'
    titles = (
        f'{"policy":24} {"MACs":>6} {printable(measured.score):>9} {"gain":>7} {"95% interval":>16}'
    )
    yield f'{titles}  shuffled depths'
    for name, gain in zip(measured.policies, measured.gains, strict=True):
        interval = f'{amount(gain.low, measured.unit)} to {amount(gain.high, measured.unit)}'
        shuffled = gain.shuffled
        beside = f'{shuffled.score:.4g} (p = {shuffled.p_value:.3f})' if shuffled else 'not measured'
        values = (
            f'{gain.share:6.1%} {gain.score:9.4g} {amount(gain.value, measured.unit):>7} {interval:>16}'
        )
        yield f'{printable(name):24} {values}  {beside}'
    for note in measured.notes:
        yield f'note: {printable(note)}'


def main():
    parser, args = parse_args()
    with one_line(parser):
        policies, menu = load(args.policy), load(args.menu)
        measured, others = measure_gains(args, policies, menu)
    for seed in [measured, *others]:
        for line in table(seed):
            print(line)
        print()
    print(measured.verdict)
    if args.out:
        text = json.dumps(asdict(measured), indent=2)
        with one_line(parser, '--out'), whole_file(args.out) as file:
            file.write(f'{text}\n'.encode())


if __name__ == '__main__':
    main()
