"""Every network by name, and torchvision's ResNets: parameters, MACs and time of one image.

Ours have random weights and run all iterations ("highest") or one of each block ("lowest"), with
1000 classes. Every round runs every network once, in a new order: compare ratios of one run, never
times of two. Writes OUT.md and OUT.json.
"""

import argparse
import json
import statistics
from pathlib import Path

import torch
import torchvision
from speed.networks import image, macs_of

from iterbackbone import create_model, list_models
from iterbackbone.files import whole_file
from iterbackbone.pretrained.variants import bound_runs
from iterbackbone.timing import forward_seconds, machine

RESNETS = ('resnet18', 'resnet34', 'resnet50', 'resnet101', 'resnet152')
HEADER = ('network', 'parameters, M', 'GMACs, lowest', 'GMACs, highest', 'ms, lowest', 'ms, highest')


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--filter', default='*', help='of the names, as of list_models')
    parser.add_argument('--baselines', nargs='*', choices=RESNETS, default=RESNETS)
    parser.add_argument('--side', type=int, default=224, help='of the image, in pixels')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench/variants'))
    return parser.parse_args()


def ours(name, x):
    """Parameters, and a run of one iteration and of all."""
    model = create_model(name, num_classes=1000).eval()
    return model, bound_runs(model, model.backbone, x)


def theirs(name, x):
    model = torchvision.models.get_model(name, weights=None).eval()
    return model, {'highest': lambda: model(x)}


def macs(model, key, size):
    if key == 'lowest':
        model.backbone.set_budget(max_iterations=1)
    elif hasattr(model, 'backbone'):
        model.backbone.set_budget()
    return macs_of(model, size)


def measure(args):
    """One dict for each network."""
    torch.manual_seed(0)
    size = (args.side, args.side)
    x = image(1, size, torch.float32)
    networks = {name: ours(name, x) for name in list_models(args.filter)}
    networks |= {name: theirs(name, x) for name in args.baselines}
    runs = {(name, key): run for name, (_, each) in networks.items() for key, run in each.items()}
    seconds = forward_seconds(runs, args.rounds, args.threads)
    rows = []
    for name, (model, each) in networks.items():
        row = dict(network=name, parameters=sum(p.numel() for p in model.parameters()))
        row['macs'] = {key: macs(model, key, size) for key in each}
        row['ms'] = {key: 1000 * statistics.median(seconds[name, key]) for key in each}
        rows.append(row)
    return rows


def cells(row):
    """Of one network; what has no iterations has no lowest."""
    found = [row['network'], f'{row["parameters"] / 1e6:.1f}']
    for values, text in ((row['macs'], lambda x: f'{x / 1e9:.2f}'), (row['ms'], lambda x: f'{x:.0f}')):
        found += [text(values[key]) if key in values else '' for key in ('lowest', 'highest')]
    return found


def main():
    args = parse_args()
    rows = measure(args)
    lines = [HEADER, ['---'] * len(HEADER), *map(cells, rows)]
    table = '\n'.join(f'| {" | ".join(line)} |' for line in lines)
    setting = f'{machine()}, {args.side}x{args.side}, {args.threads} threads, {args.rounds} rounds'
    args.out.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps(dict(setting=setting, rows=rows), indent=1)
    for suffix, text in {'.md': f'{setting}\n\n{table}\n', '.json': content}.items():
        with whole_file(args.out.with_suffix(suffix)) as file:
            file.write(text.encode())
    print(f'{setting}\n\n{table}')


if __name__ == '__main__':
    main()
