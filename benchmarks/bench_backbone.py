"""IterativeResNet-152 beside ResNet-152: time against MACs, from one iteration to all.

Every round runs every network once on the same noise, in a new order: compare ratios of one run,
never times of two. Ours has random weights and runs all iterations that its budget allows.
Writes OUT.md, OUT.json and OUT.png.
"""

import argparse
from pathlib import Path

import torch
from speed.arguments import add_sizes
from speed.budgets import points
from speed.networks import BASELINES, at_most, baselines, image, iterative, macs_at, macs_of, resnet
from speed.tables import markdown, rows_of, save

from iterbackbone.timing import forward_seconds, machine

FORMS = {'plain': False, 'optimized': True}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    add_sizes(parser, '--input', '224x224')
    parser.add_argument('--threads', type=int, nargs='+', default=[1])
    parser.add_argument('--dtype', choices=('float32', 'bfloat16'), default='float32')
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--iterations', type=int, nargs='*', default=[1, 4, 12, 36], metavar='K')
    parser.add_argument(
        '--shares',
        type=float,
        nargs='*',
        default=[],
        help='also near these shares of the MACs',
    )
    parser.add_argument('--forms', nargs='+', choices=FORMS, default=list(FORMS))
    parser.add_argument('--baselines', nargs='*', choices=BASELINES, default=['folded'])
    parser.add_argument('--against', choices=BASELINES, default='eager', help='unit of the ratios')
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench/backbone'))
    return parser.parse_args()


def measure(args, size, threads):
    dtype = getattr(torch, args.dtype)
    x = image(args.batch, size, dtype)
    names = tuple(dict.fromkeys([args.against, *args.baselines]))
    runs = {f'ResNet-152 {name}': run for name, run in baselines(x, names).items()}
    full, smaller = macs_of(resnet(), size), resnet(50).to(dtype)
    runs['ResNet-50 eager'] = lambda: smaller(x)  # how closely time follows MACs in plain networks
    shares = {'ResNet-50 eager': macs_of(resnet(50), size) / full}
    for form in args.forms:
        network = iterative(FORMS[form], dtype)

        def share_at(cap, network=network):
            return macs_at(network, cap, size) / full

        for at, cap in points(args.iterations, args.shares, share_at).items():
            runs[f'{form} {at}'], shares[f'{form} {at}'] = at_most(network, cap, x), share_at(cap)
    seconds = forward_seconds(runs, args.rounds, threads)
    setting = f'{size[0]}x{size[1]}, batch {args.batch}, {threads} threads, {args.dtype}'
    return rows_of(setting, seconds, f'ResNet-152 {args.against}', shares)


def main():
    args = parse_args()
    rows = []
    print(machine())
    for size in args.input:
        for threads in args.threads:
            rows += measure(args, size, threads)
            save(rows, args.out)
    print(markdown(rows))


if __name__ == '__main__':
    main()
