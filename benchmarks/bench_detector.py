"""Whole detectors and segmentors beside the same with ResNet-152: time against MACs.

The models of the configs with random weights, on one image of noise, from one iteration of each block
to all; two-stage detectors with a fixed number of proposals. ResNet-152 runs as mmdet has it and
"folded": BatchNorm in the convolutions, channels_last. Every round runs every model once, in
a new order: compare ratios of one run, never times of two. Writes OUT.md, OUT.json and OUT.png.
"""

import argparse
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch
from mmcv.cnn import fuse_conv_bn
from speed.budgets import iterations_at, points, set_cap
from speed.tables import markdown, rows_of, save

from iterbackbone.core.adaptive import AdaptiveModule
from iterbackbone.mm.configs import build_model, random_input, read_config
from iterbackbone.mm.counting.model_macs import count_macs, fixed_proposals
from iterbackbone.timing import forward_seconds, machine

CONFIGS = Path(__file__).parents[1] / 'configs'


class Pair(NamedTuple):
    """Two models that differ in the backbone, their input and number of proposals."""

    iterative: str
    baseline: str
    size: tuple[int, int]
    proposals: int | None


PAIRS = {
    'FPN': Pair(
        'detection/faster-rcnn_iterative-r152_fpn_1x_voc2007.py',
        'detection/faster-rcnn_r152_fpn_1x_voc2007.py',
        (600, 800),
        1000,
    ),
    'C4': Pair(
        'detection/faster-rcnn_iterative-r152-c4_1x_voc2007.py',
        'detection/faster-rcnn_r152-c4_1x_voc2007.py',
        (600, 800),
        300,
    ),
    'UPerNet': Pair(
        'segmentation/upernet-256ch_iterative-r152_4xb4-80k_ade20k-512x512.py',
        'segmentation/upernet-256ch_r152_4xb4-80k_ade20k-512x512.py',
        (512, 512),
        None,
    ),
}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--models', nargs='+', choices=PAIRS, default=list(PAIRS))
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--iterations', type=int, nargs='*', default=[1, 4, 12, 36], metavar='K')
    parser.add_argument(
        '--shares',
        type=float,
        nargs='*',
        default=[],
        help='also near these shares of the MACs',
    )
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench/detector'))
    return parser.parse_args()


def runner(model, pair):
    """``cap -> run``: forward passes of the whole model."""
    data = random_input(model, pair.size)
    modules = [m for m in model.modules() if isinstance(m, AdaptiveModule)]
    for module in modules:
        module.optimize_for_inference()

    def at(cap):
        def run():
            set_cap(modules, cap)
            with fixed_proposals(model, pair.proposals):
                model(**data, mode='tensor')

        return run

    return at


def folded(model):
    """``model`` with its ResNet, that of the proposals included, in its faster form."""
    heads = [m for name, m in model.named_modules() if name == 'roi_head.shared_head']
    for part in (model.backbone, *heads):
        fuse_conv_bn(part).to(memory_format=torch.channels_last)
    return model


def macs_at(found, cap):
    """MACs of a whole model (ModelMacs) under a cap."""
    each = (part.rows * part.table.total(iterations_at(part.limits, cap)) for part in found.iterative)
    return sum(found.rest.values()) + sum(each)


def measure(name, args):
    pair = PAIRS[name]
    model, baseline = (build_model(read_config(CONFIGS / c)) for c in (pair.iterative, pair.baseline))
    found, full = (count_macs(m, pair.size, pair.proposals) for m in (model, baseline))
    unit = macs_at(full, 1)

    def share_at(cap):
        return macs_at(found, cap) / unit

    at = runner(model, pair)
    caps = points(args.iterations, args.shares, share_at)
    runs = {f'{name} ResNet-152': runner(baseline, pair)(1)}
    runs[f'{name} ResNet-152 folded'] = runner(folded(deepcopy(baseline)), pair)(1)
    runs |= {f'{name} {label}': at(cap) for label, cap in caps.items()}
    shares = {f'{name} {label}': share_at(cap) for label, cap in caps.items()}
    seconds = forward_seconds(runs, args.rounds, args.threads)
    setting = f'{pair.size[0]}x{pair.size[1]}, {args.threads} threads'
    return rows_of(setting, seconds, f'{name} ResNet-152', shares)


def main():
    args = parse_args()
    print(machine())
    rows = []
    for name in args.models:
        rows += measure(name, args)
        save(rows, args.out)
    print(markdown(rows))


if __name__ == '__main__':
    main()
