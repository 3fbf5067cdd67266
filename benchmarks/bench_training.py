"""A training step of IterativeResNet-152 beside one of ResNet-152, in one process.

A step is forward, the sum of the features' means, backward and SGD. `masked` and `active` run all
iterations (halting held), `active at K` stops every image at K iterations by scores of 1 / K.
`anytime` stops each at a depth drawn for it, as AnytimeHook does; its share of MACs is that of the
depths drawn.
"""

import argparse
from itertools import cycle
from pathlib import Path
from statistics import mean

import torch
from speed.arguments import add_sizes
from speed.networks import image, iterative_152, macs_at, macs_of, resnet
from speed.tables import markdown, rows_of, save

from iterbackbone import IterativeResNet
from iterbackbone.core.depths import draw_depths
from iterbackbone.core.halting import HaltingUnit
from iterbackbone.core.macs import mac_table
from iterbackbone.timing import forward_seconds, machine


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    add_sizes(parser, '--input', '320x320')
    parser.add_argument('--threads', type=int, nargs='+', default=[2])
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--iterations', type=int, nargs='*', default=[4, 12], metavar='K')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench/training'))
    return parser.parse_args()


def step(network, x):
    """One training step; gradients are needed, whatever the caller has switched off."""
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)

    def run():
        with torch.inference_mode(False), torch.enable_grad():
            loss = sum(feature.mean() for feature in network(x))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if isinstance(network, IterativeResNet):
            network.drop_trace()

    return run


def iterative(execution, k=None):
    network = iterative_152(execution=execution).train()
    network.hold_halting(k is None)
    for unit in (m for m in network.modules() if isinstance(m, HaltingUnit)):
        if k is not None:
            unit.register_forward_hook(lambda _, __, score: score * 0 + 1 / k)
    return network


def anytime(batch, steps, size):
    """A network that cycles through drawn depths, and their mean MACs."""
    network = iterative_152().train()
    options = (network.max_iterations, 'mixed', 0.15, torch.Generator().manual_seed(0))
    drawn = [draw_depths(batch, *options) for _ in range(steps)]
    batches = cycle(drawn)
    network.register_forward_pre_hook(lambda *_: network.force_depths(next(batches)))
    table = mac_table(network, size)
    return network, mean(table.total(row, row) for row in torch.cat(drawn).tolist())


def trained(network):
    network.train()  # mmdet's returns nothing
    return network


def measure(args, size, threads):
    x = image(args.batch, size, torch.float32)
    networks = {'masked': (iterative('masked'), 36), 'active': (iterative('active'), 36)}
    networks |= {f'active at {k}': (iterative('active', k), k) for k in args.iterations}
    full = macs_of(resnet(), size)
    runs = {f'ResNet-{depth}': step(trained(resnet(depth)), x) for depth in (152, 50)}
    runs |= {name: step(network, x) for name, (network, _) in networks.items()}
    shares = {name: macs_at(network, k, size) / full for name, (network, k) in networks.items()}
    network, macs = anytime(args.batch, args.rounds, size)
    runs['anytime'], shares['anytime'] = step(network, x), macs / full
    shares['ResNet-50'] = macs_of(resnet(50), size) / full
    seconds = forward_seconds(runs, args.rounds, threads)
    setting = f'{size[0]}x{size[1]}, batch {args.batch}, {threads} threads, training'
    return rows_of(setting, seconds, 'ResNet-152', shares)


def main():
    args = parse_args()
    print(machine())
    rows = []
    for size in args.input:
        for threads in args.threads:
            rows += measure(args, size, threads)
            save(rows, args.out)
    print(markdown(rows))


if __name__ == '__main__':
    main()
