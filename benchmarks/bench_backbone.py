"""IterativeResNet-152 beside ResNet-152: time against MACs, from one iteration to all.

Every round runs every network once on the same noise, in a new order: compare ratios of one run,
never times of two. Ours has random weights and runs all iterations that its budget allows.
Writes OUT.md, OUT.json and OUT.png.
"""

import argparse
import statistics
from pathlib import Path

import torch
from speed.networks import BASELINES, at_most, baselines, image, iterative, macs_at, macs_of, resnet
from speed.tables import Row, machine, markdown, save

from iterbackbone.mm.forward_time import Ratio, forward_seconds

FORMS = {'plain': False, 'optimized': True}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--input', nargs='+', default=['224x224'], metavar='HxW')
    parser.add_argument('--threads', type=int, nargs='+', default=[1])
    parser.add_argument('--dtype', choices=('float32', 'bfloat16'), default='float32')
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--iterations', type=int, nargs='+', default=[1, 4, 12, 20, 36], metavar='K')
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
    networks = {form: iterative(FORMS[form], dtype) for form in args.forms}
    runs = {f'ResNet-152 {name}': run for name, run in baselines(x, names).items()}
    full = macs_of(resnet(), size)
    shares = dict.fromkeys(runs)
    for form, network in networks.items():
        for k in args.iterations:
            name = f'{form} at {k}'
            runs[name], shares[name] = at_most(network, k, x), macs_at(network, k, size) / full
    seconds = forward_seconds(runs, args.rounds, threads)
    unit = seconds[f'ResNet-152 {args.against}']
    setting = f'{size[0]}x{size[1]}, batch {args.batch}, {threads} threads, {args.dtype}'
    return [
        Row(setting, name, statistics.median(each), Ratio.of(each, unit), shares[name])
        for name, each in seconds.items()
    ]


def main():
    args = parse_args()
    rows = []
    print(machine())
    for text in args.input:
        size = tuple(int(n) for n in text.split('x'))
        for threads in args.threads:
            rows += measure(args, size, threads)
            save(rows, args.out)
    print(markdown(rows))


if __name__ == '__main__':
    main()
