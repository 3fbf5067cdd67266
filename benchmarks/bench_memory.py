"""Memory of IterativeResNet-152 beside ResNet-152: weights, inference, training.

Every network runs in a process of its own; the peak is the resident memory's highest value during
the second run minus its value just before, when the network, its input and what the first run left
(code, oneDNN's kernels; in training gradients) are there.
"""

import argparse
import gc
import io
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from speed.arguments import add_sizes, image_size
from speed.networks import image, iterative, iterative_152, resnet

from iterbackbone.files import whole_file
from iterbackbone.timing import machine

INFERENCE = ('resnet', 'plain', 'optimized')
TRAINING = ('resnet', 'masked', 'with_cp')


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    add_sizes(parser, '--input', '224x224', '600x800')
    add_sizes(parser, '--training-input', '320x320')
    parser.add_argument('--runs', type=int, default=3, help='processes a network; the median counts')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench/memory.json'))
    parser.add_argument('--one', nargs=3, metavar=('KIND', 'NETWORK', 'HxW'), help=argparse.SUPPRESS)
    return parser.parse_args()


def network_of(name):
    if name == 'resnet':
        return resnet()
    if name in INFERENCE:
        return iterative(name == 'optimized', torch.float32)
    return iterative_152(execution='masked', with_cp=name == 'with_cp')


def one(kind, name, size):
    """In a process of its own: bytes above what was there before the second run."""
    torch.set_num_threads(1)
    network = network_of(name)
    network.train(kind == 'training')
    x = image(2 if kind == 'training' else 1, size, torch.float32)
    run(kind, network, x)
    gc.collect()
    Path('/proc/self/clear_refs').write_text('5')  # the highest value so far is forgotten
    before = _status('VmRSS')
    run(kind, network, x)
    print(_status('VmHWM') - before)


def run(kind, network, x):
    if kind == 'training':
        sum(feature.mean() for feature in network(x)).backward()
    else:
        with torch.inference_mode():
            network(x)
    if hasattr(network, 'drop_trace'):
        network.drop_trace()


def _status(name):
    lines = Path('/proc/self/status').read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def in_processes(kind, name, size, runs):
    command = [sys.executable, __file__, '--one', kind, name, 'x'.join(map(str, size))]
    # Freed blocks go back to the system at once, so that the peak is that of what is in use.
    env = {**os.environ, 'MALLOC_MMAP_THRESHOLD_': '65536', 'MALLOC_TRIM_THRESHOLD_': '0'}
    found = [
        subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout
        for _ in range(runs)
    ]
    return statistics.median(int(out.splitlines()[-1]) for out in found)


def weights(network):
    """Bytes of the state dict's file and of parameters and buffers."""
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    held = [*network.parameters(), *network.buffers()]
    return {'file': len(file.getvalue()), 'resident': sum(t.numel() * t.element_size() for t in held)}


def main():
    args = parse_args()
    if args.one:
        kind, name, size = args.one
        one(kind, name, image_size(size))
        return
    found = {'weights': {n: weights(network_of(n)) for n in ('resnet', 'plain')}}
    for kind, sizes, names in (
        ('inference', args.input, INFERENCE),
        ('training', args.training_input, TRAINING),
    ):
        for size in sizes:
            what = f'{kind} at {size[0]}x{size[1]}'
            found[what] = {n: in_processes(kind, n, size, args.runs) for n in names}
    for what, each in found.items():
        for name, value in each.items():
            print(f'{what}, {name}: {shown(value, each["resnet"])}')
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(args.out) as file:
        file.write(json.dumps({'machine': machine(), **found}, indent=1).encode())


def shown(value, unit):
    """Megabytes and the share of ResNet-152's."""
    if isinstance(value, dict):
        return ', '.join(f'{key} {shown(value[key], unit[key])}' for key in value)
    return f'{value / 1e6:.0f} MB ({value / unit:.1%})'


if __name__ == '__main__':
    main()
