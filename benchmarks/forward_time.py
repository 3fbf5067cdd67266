"""Forward times of models on one CPU core, as shares of a baseline's in the same run.

Models are built with random weights, so an iterative one runs all the iterations its budget
allows; it is timed at one iteration of each block, too. Every round runs every model once on one
image of noise, in a new order: compare ratios of one run, never times of two.
"""

import argparse
from pathlib import Path

from mmengine.config import DictAction
from speed.forward_runs import Ratio, forward_runs

from iterbackbone.mm.configs import build_model, read_config
from iterbackbone.timing import forward_seconds


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('baseline', type=Path, help='config of the model to compare with')
    parser.add_argument('configs', type=Path, nargs='+', help='configs of the models')
    parser.add_argument('--input', type=int, nargs=2, required=True, metavar=('H', 'W'))
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='override settings of the models'
    )
    return parser, parser.parse_args()


def main():
    parser, args = parse_args()
    try:
        models = {'baseline': build_model(read_config(args.baseline))}
        models |= {str(path): build_model(read_config(path, args.cfg_options)) for path in args.configs}
        runs = {
            (name, key): run
            for name, model in models.items()
            for key, run in forward_runs(model, tuple(args.input)).items()
        }
        seconds = forward_seconds(runs, args.rounds)
    except ValueError as error:
        parser.error(str(error))
    baseline = seconds.get(('baseline', 'mean')) or seconds['baseline', 'highest']
    print(f'{args.baseline}: median {sorted(baseline)[len(baseline) // 2]:.3f} s')
    for (name, key), each in seconds.items():
        ratio = Ratio.of(each, baseline)
        print(f'{name} {key}: {ratio.median:.1%} (quartiles {ratio.lower:.1%} to {ratio.upper:.1%})')


if __name__ == '__main__':
    main()
