"""Memory of IterativeResNet-152 beside ResNet-152: weights, inference, training.

Every network runs in a process of its own; the peak is the resident memory's highest value during
the run minus its value just before, when the network and its input are there.
"""

import argparse
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from speed.networks import image, iterative, resnet
from speed.tables import machine

from iterbackbone import IterativeResNet
from iterbackbone.files import whole_file

INFERENCE = ('resnet', 'plain', 'optimized')
TRAINING = ('resnet', 'masked', 'with_cp')


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--input', nargs='+', default=['224x224', '600x800'], metavar='HxW')
    parser.add_argument('--training-input', default='320x320', metavar='HxW')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench/memory.json'))
    parser.add_argument('--one', nargs=3, metavar=('KIND', 'NETWORK', 'HxW'), help=argparse.SUPPRESS)
    return parser.parse_args()


def network_of(name):
    if name == 'resnet':
        return resnet()
    if name in INFERENCE:
        return iterative(name == 'optimized', torch.float32)
    return IterativeResNet(depth=152, execution='masked', with_cp=name == 'with_cp')


def one(kind, name, size):
    """In a process of its own: bytes above what was there before the run."""
    torch.set_num_threads(1)
    network = network_of(name)
    network.train(kind == 'training')
    x = image(2 if kind == 'training' else 1, size, torch.float32)
    Path('/proc/self/clear_refs').write_text('5')  # the highest value so far is forgotten
    before = _status('VmRSS')
    if kind == 'training':
        sum(feature.mean() for feature in network(x)).backward()
    else:
        with torch.inference_mode():
            network(x)
    print(_status('VmHWM') - before)


def _status(name):
    lines = Path('/proc/self/status').read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def in_process(kind, name, size):
    command = [sys.executable, __file__, '--one', kind, name, size]
    # Freed blocks go back to the system at once, so that the peak is that of what is in use.
    env = {**os.environ, 'MALLOC_MMAP_THRESHOLD_': '65536', 'MALLOC_TRIM_THRESHOLD_': '0'}
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout
    return int(out.splitlines()[-1])


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
        return one(kind, name, tuple(int(n) for n in size.split('x')))
    found = {'machine': machine(), 'weights': {n: weights(network_of(n)) for n in ('resnet', 'plain')}}
    for size in args.input:
        found[f'inference at {size}'] = {n: in_process('inference', n, size) for n in INFERENCE}
    size = args.training_input
    found[f'training at {size}, batch 2'] = {n: in_process('training', n, size) for n in TRAINING}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(args.out) as file:
        file.write(json.dumps(found, indent=1).encode())
    for what, each in found.items():
        if what != 'machine':
            unit = each['resnet']
            print(what, {n: ratio(value, unit) for n, value in each.items()}, each)
    return None


def ratio(value, unit):
    if isinstance(value, dict):
        return {key: round(value[key] / unit[key], 3) for key in value}
    return round(value / unit, 3)


if __name__ == '__main__':
    main()
