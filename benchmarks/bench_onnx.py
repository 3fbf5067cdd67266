"""IterativeResNet-152 as one ONNX file beside ResNet-50 and ResNet-152 exported in the same way.

ONNX Runtime or OpenVINO on the CPU. Every round runs each file and budget once on the same noise,
in a new order: compare ratios of one run, never times of two. Ours has random weights and runs all
iterations that the budget, an input of the file, allows. Writes OUT.md, OUT.json and OUT.png.
"""

import argparse
from importlib.metadata import version
from itertools import product
from pathlib import Path

import numpy as np
import torch
from speed.arguments import add_sizes
from speed.networks import iterative, macs_at, macs_of, resnet
from speed.tables import markdown, rows_of, save

from iterbackbone.export import ExportForm
from iterbackbone.export.onnx.graph import export_graph
from iterbackbone.export.onnx.runtime import RUNTIMES, open_session
from iterbackbone.timing import forward_seconds, machine

OPSET = 20


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    add_sizes(parser, '--input', '224x224')
    parser.add_argument('--runtime', nargs='+', choices=RUNTIMES, default=[RUNTIMES[0]])
    parser.add_argument('--threads', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--iterations', type=int, nargs='*', default=[1, 4, 12, 36], metavar='K')
    parser.add_argument(
        '--fixed', type=int, nargs='*', default=[], metavar='K', help='also without loops'
    )
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench/onnx'))
    return parser.parse_args()


def exported(module, more=None):
    """The file's bytes; ``more`` are inputs besides the image."""
    example = {'x': torch.zeros(1, 3, 224, 224), **(more or {})}
    outputs = [f'output_{k}' for k in range(len(torch.utils._pytree.tree_leaves(module(example['x']))))]
    dynamic = {'x': {2: 'height', 3: 'width'}}
    with torch.no_grad():
        return export_graph(module, example, dynamic, outputs, OPSET).SerializeToString()


def files(fixed):
    ours = iterative(optimized=False, dtype=torch.float32)
    looped = ExportForm(ours)
    budget = {'max_iterations': torch.tensor(looped.limits)}
    found = {'ours': exported(looped, budget)}
    found |= {f'ours fixed at {k}': exported(ExportForm(ours, fixed=k)) for k in fixed}
    return found | {f'ResNet-{depth}': exported(resnet(depth)) for depth in (50, 152)}


def runs_of(models, args, runtime, size, threads):
    """Runs and their shares of ResNet-152's MACs, by name."""
    image = np.random.default_rng(0).random((1, 3, *size), dtype=np.float32)
    full = macs_of(resnet(), size)
    runs, shares = {}, {'ResNet-50': macs_of(resnet(50), size) / full}
    network = iterative(optimized=False, dtype=torch.float32)

    def add(name, session, feed, cap=None):
        runs[name] = lambda: session.run(None, feed)
        if cap:
            shares[name] = macs_at(network, cap, size) / full

    for name, model in models.items():
        session = open_session(model, threads, runtime)
        if name == 'ours':
            for k in args.iterations:
                budget = np.full(len(network.stages), k, dtype=np.int64)
                add(f'ours at {k}', session, {'x': image, 'max_iterations': budget}, k)
        else:
            fixed = int(name.split()[-1]) if 'fixed' in name else None
            add(name, session, {'x': image}, fixed)
    return runs, shares


def main():
    args = parse_args()
    print(machine(), *(f'{name} {version(name)}' for name in args.runtime))
    models, rows = files(args.fixed), []
    for name, model in models.items():
        print(f'{name:<20} {len(model) / 1e6:7.2f} MB', flush=True)
    for runtime, size, threads in product(args.runtime, args.input, args.threads):
        runs, shares = runs_of(models, args, runtime, size, threads)
        seconds = forward_seconds(runs, args.rounds, threads)
        setting = f'{runtime}, {size[0]}x{size[1]}, {threads} threads'
        rows += rows_of(setting, seconds, 'ResNet-152', shares)
        save(rows, args.out)
    print(markdown(rows))


if __name__ == '__main__':
    main()
