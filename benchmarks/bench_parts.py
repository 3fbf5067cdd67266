"""Where the time of IterativeResNet-152 at all iterations goes, beside what this machine can do.

The inference form's time by part, the MACs per second each part reaches, and the most that a single
convolution and a single product of matrices reach here, all in one run.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from speed.arguments import add_sizes
from speed.networks import baselines, image, iterative, macs_of, resnet
from speed.parts import Parts

from iterbackbone.core import act
from iterbackbone.core.halting import HaltingUnit
from iterbackbone.core.macs import mac_table
from iterbackbone.files import whole_file
from iterbackbone.inference import loop, network_form
from iterbackbone.timing import machine

HIDDEN, LAST, ENTRY = 'conv1 and conv2', 'conv3 with the sweep', 'stem and transitions'
WATCHED = {
    HIDDEN: [(loop, 'conv_norm_relu')],
    'laying kernels out': [(loop.Kernel, '__call__')],
    LAST: [(loop, 'update')],
    ENTRY: [(network_form.ConvNormForm, '__call__')],
    'halting unit': [(HaltingUnit, 'score')],
    'halting arithmetic': [(act, 'advance'), (act, 'output_weight')],
    'loop': [(loop.BlockRun, 'iterate'), (network_form, 'run_form')],
}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    add_sizes(parser, '--input', '224x224', '600x800')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench/parts.json'))
    return parser.parse_args()


def best_rates(rounds):
    """GMAC/s of the best of a few convolutions and of a product of matrices."""
    rates = {'one 3x3 convolution': 0.0, 'one product of matrices': 0.0}
    for channels, side in ((64, 112), (128, 56), (256, 56), (256, 28), (512, 28)):
        conv = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        conv = conv.to(memory_format=torch.channels_last)
        x = torch.rand(1, channels, side, side).contiguous(memory_format=torch.channels_last)
        macs = 9 * channels * channels * side * side
        rate = macs / fastest(lambda conv=conv, x=x: conv(x), rounds)
        rates['one 3x3 convolution'] = max(rates['one 3x3 convolution'], rate / 1e9)
    a, b = torch.rand(2048, 1024), torch.rand(1024, 1024)
    rates['one product of matrices'] = 2048 * 1024 * 1024 / fastest(lambda: a @ b, rounds) / 1e9
    return rates


def fastest(run, rounds):
    seconds = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def macs_by_part(network, size):
    """A dense block spends (e + 9) of its 2e + 9 parts of MACs before the last convolution."""
    table, conv1 = mac_table(network, size), network.stages[0].blocks[0].conv1
    e = conv1.in_channels // conv1.out_channels
    blocks = sum(n * each for n, each in zip(table.max_iterations, table.per_iteration, strict=True))
    last = blocks * e // (2 * e + 9)
    return {HIDDEN: blocks - last, LAST: last, ENTRY: table.fixed}


def measure(size, rounds):
    """Mean seconds by part and of whole networks: ours, ResNet-152 eager and folded."""
    x = image(1, size, torch.float32)
    network, parts, whole = iterative(True, torch.float32), Parts(), Parts()
    runs = {name: whole.timed(name, run) for name, run in baselines(x, ('eager', 'folded')).items()}
    ours = whole.timed('ours', parts.timed('rest', network.forward))
    for warmed_up in (False, *[True] * rounds):
        with parts.watch(WATCHED):
            ours(x)
        for run in runs.values():
            run()
        if not warmed_up:
            parts.seconds.clear()
            whole.seconds.clear()
    parts_seconds, networks = (
        {name: seconds / rounds for name, seconds in each.seconds.most_common()}
        for each in (parts, whole)
    )
    return macs_by_part(network, size), parts_seconds, networks


def table(macs, parts, networks):
    """Markdown lines of one input size."""
    total = sum(parts.values())
    yield '| part | ms | share | GMAC/s |'
    yield '| --- | --- | --- | --- |'
    for name, seconds in parts.items():
        rate = f'{macs[name] / seconds / 1e9:.0f}' if name in macs else ''
        yield f'| {name} | {seconds * 1e3:.1f} | {seconds / total:.1%} | {rate} |'
    for name, seconds in networks.items():
        count = macs['ResNet-152'] if name != 'ours' else macs['ours']
        yield f'| whole: {name} | {seconds * 1e3:.1f} | | {count / seconds / 1e9:.0f} |'


@torch.inference_mode()
def main():
    args = parse_args()
    torch.set_num_threads(args.threads)
    found = {'machine': machine(), 'threads': args.threads, 'GMAC/s of': best_rates(args.rounds)}
    for name, rate in found['GMAC/s of'].items():
        print(f'{name}: {rate:.0f} GMAC/s')
    for size in args.input:
        macs, parts, networks = measure(size, args.rounds)
        macs |= {'ours': sum(macs.values()), 'ResNet-152': macs_of(resnet(), size)}
        found[f'{size[0]}x{size[1]}'] = {'macs': macs, 'seconds': parts, 'networks': networks}
        print(
            f'\n{size[0]}x{size[1]}, {args.threads} threads\n', *table(macs, parts, networks), sep='\n'
        )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(args.out) as file:
        file.write(json.dumps(found, indent=1).encode())


if __name__ == '__main__':
    main()
