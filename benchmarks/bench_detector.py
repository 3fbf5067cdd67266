"""Whole detectors and segmentors beside the same with ResNet-152: time against MACs.

The models of the configs with random weights, on one image of noise, from one iteration of each block
to all; two-stage detectors with a fixed number of proposals. Every round runs every model once, in
a new order: compare ratios of one run, never times of two. Writes OUT.md, OUT.json and OUT.png.
"""

import argparse
import statistics
from pathlib import Path

from speed.tables import Row, machine, markdown, save

from iterbackbone.core.adaptive import AdaptiveModule
from iterbackbone.mm.forward_time import Ratio, forward_seconds
from iterbackbone.mm.model_building import build_model, random_input, read_config
from iterbackbone.mm.model_macs import count_macs
from iterbackbone.mm.proposals import fixed_proposals

CONFIGS = Path(__file__).parents[1] / 'configs'
PAIRS = {  # name: iterative config, its baseline, input, proposals
    'FPN': (
        'detection/faster-rcnn_iterative-r152_fpn_1x_voc2007.py',
        'detection/faster-rcnn_r152_fpn_1x_voc2007.py',
        (600, 800),
        1000,
    ),
    'C4': (
        'detection/faster-rcnn_iterative-r152-c4_1x_voc2007.py',
        'detection/faster-rcnn_r152-c4_1x_voc2007.py',
        (600, 800),
        300,
    ),
    'UPerNet': (
        'segmentation/upernet-256ch_iterative-r152_4xb4-80k_ade20k-512x512.py',
        'segmentation/upernet-256ch_r152_4xb4-80k_ade20k-512x512.py',
        (512, 512),
        None,
    ),
}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('models', nargs='*', choices=[*PAIRS, []], default=list(PAIRS))
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--iterations', type=int, nargs='+', default=[1, 4, 12, 36], metavar='K')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench/detector'))
    return parser.parse_args()


def run(model, size, proposals, k=None):
    """A forward pass of the whole model at most at k iterations of each block."""
    data = random_input(model, size)
    modules = [m for m in model.modules() if isinstance(m, AdaptiveModule)]

    def forward():
        for module in modules:
            module.set_budget(max_iterations=k)
        with fixed_proposals(model, proposals):
            model(**data, mode='tensor')

    return forward


def macs(model, size, proposals, k=None):
    for module in (m for m in model.modules() if isinstance(m, AdaptiveModule)):
        module.set_budget(max_iterations=k)
    return sum(count_macs(model, size, proposals).highest().values())


def measure(name, args):
    config, baseline_config, size, proposals = PAIRS[name]
    model, baseline = (build_model(read_config(CONFIGS / c)) for c in (config, baseline_config))
    full = macs(baseline, size, proposals)
    shares = {f'{name} at {k}': macs(model, size, proposals, k) / full for k in args.iterations}
    for module in (m for m in model.modules() if isinstance(m, AdaptiveModule)):
        module.optimize_for_inference()
    runs = {f'{name} ResNet-152': run(baseline, size, proposals)}
    runs |= {f'{name} at {k}': run(model, size, proposals, k) for k in args.iterations}
    seconds = forward_seconds(runs, args.rounds, args.threads)
    unit = seconds[f'{name} ResNet-152']
    setting = f'{size[0]}x{size[1]}, {args.threads} threads'
    return [
        Row(setting, key, statistics.median(t), Ratio.of(t, unit), shares.get(key))
        for key, t in seconds.items()
    ]


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
