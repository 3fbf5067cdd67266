"""A batch of images that halt apart from each other, beside the same batch at all iterations.

The images of the batch leave one after the other, evenly over each stage's iterations. Their time
should follow their MACs; moving the rows that stay together is what that costs.
Writes OUT.md, OUT.json and OUT.png.
"""

import argparse
import math
from pathlib import Path

import torch
from speed.arguments import add_sizes
from speed.networks import image, iterative
from speed.tables import markdown, rows_of, save

from iterbackbone.core.halting import HaltingUnit
from iterbackbone.core.macs import mac_table
from iterbackbone.timing import forward_seconds, machine


class EvenHalting:
    """Scores of 1 for the first rows, 0 for the others, so that as many halt at every iteration."""

    def __init__(self, batch, max_iterations):
        self.batch, self.max_iterations, self.calls = batch, max_iterations, 0

    def __call__(self, pooled):
        i = self.calls % (self.max_iterations - 1) + 1
        self.calls += 1
        staying = math.ceil(self.batch * (1 - i / self.max_iterations))
        return (torch.arange(len(pooled)) < len(pooled) - staying).float()


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    add_sizes(parser, '--input', '224x224')
    parser.add_argument('--threads', type=int, nargs='+', default=[1])
    parser.add_argument('--batch', type=int, default=8)
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench/batch'))
    return parser.parse_args()


def halting_apart(batch):
    network = iterative(True, torch.float32)
    for stage in network.iterative_stages():
        for block in stage.iterative_blocks():
            assert isinstance(block.halting, HaltingUnit)
            block.halting.score = EvenHalting(batch, block.max_iterations)
    return network


def measure(args, size, threads):
    x = image(args.batch, size, torch.float32)
    networks = {'all iterations': iterative(True, torch.float32), 'apart': halting_apart(args.batch)}
    shares = {}
    for name, network in networks.items():
        with torch.inference_mode():
            network(x)
        table = mac_table(network, size)
        shares[name] = sum(map(table.total, network.trace.executed.tolist())) / (
            args.batch * table.highest
        )
    runs = {name: (lambda network=network: network(x)) for name, network in networks.items()}
    seconds = forward_seconds(runs, args.rounds, threads)
    setting = f'{size[0]}x{size[1]}, batch {args.batch}, {threads} threads'
    return rows_of(setting, seconds, 'all iterations', shares)


def main():
    args = parse_args()
    print(machine())
    rows = [
        row for size in args.input for threads in args.threads for row in measure(args, size, threads)
    ]
    save(rows, args.out)
    print(markdown(rows))


if __name__ == '__main__':
    main()
