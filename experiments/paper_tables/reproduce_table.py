"""Fills in one of the paper's classification tables: 1 (CIFAR-10), 2 (CIFAR-100) or 3 (ImageNet).

Parameters and MACs are counted on networks with random weights. Accuracies and mean MACs come
from evaluations: test a checkpoint by mmpretrain's test.py and give the log it writes. Forward
times are measured on one CPU core beside ResNet152's, if asked for. What comes from the paper and
what is missing is marked.
"""

import argparse
import json
from pathlib import Path

from experiments.paper_tables import TABLES
from experiments.paper_tables.markdown import markdown, plain_data
from experiments.paper_tables.measurement import measure
from iterbackbone.files import whole_file
from iterbackbone.text import printable

ROUNDS = 20


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('table', type=int, choices=TABLES, help="the paper's number")
    parser.add_argument(
        '--log',
        type=assignment,
        action='append',
        default=[],
        metavar='ROW=FOLDER',
        help='evaluation of a row: of an iterative network '
        'WORK_DIR/TIMESTAMP/iterations/test_epoch_N, else WORK_DIR/TIMESTAMP; may be repeated',
    )
    parser.add_argument(
        '--time',
        type=rounds,
        nargs='?',
        const=ROUNDS,
        metavar='ROUNDS',
        help=f'measure forward times on one core, {ROUNDS} rounds by default',
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers as JSON')
    parser.add_argument('--markdown', type=Path, metavar='FILE', help='write what is printed')
    args = parser.parse_args(argv)
    names = [row for row, _ in args.log]
    for row in names:
        if names.count(row) > 1:
            parser.error(f'argument --log: at most one for each row, got two for {row}')
    for name in ('json', 'markdown'):
        path = getattr(args, name)
        if path and not path.absolute().parent.is_dir():
            parser.error(f'argument --{name}: must be in a folder that exists, got {path}')
    return parser, args


def assignment(text):
    row, equals, folder = text.partition('=')
    if not (row and equals and folder):
        raise argparse.ArgumentTypeError(f'must be ROW=FOLDER, got {text!r}')
    return row, Path(folder)


def rounds(text):
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError(f'must be at least 2, got {value}')
    return value


def main(argv=None):
    parser, args = parse_args(argv)
    try:
        measured = measure(TABLES[args.table], dict(args.log), args.time)
    except ValueError as error:
        parser.error(printable(str(error)))
    text = markdown(measured)
    print(text, end='')
    for path, content in (
        (args.json, json.dumps(plain_data(measured), indent=2) + '\n'),
        (args.markdown, text),
    ):
        if path:
            try:
                with whole_file(path) as file:
                    file.write(content.encode())
            except OSError as error:
                parser.error(f'{path} cannot be written: {error}')


if __name__ == '__main__':
    main()
