"""Trained networks of run.py at smaller budgets: share correct and MACs at k iterations at most."""

import argparse
from pathlib import Path

import torch
from mmengine.runner import Runner
from run import configure, evaluate

CAPS = (1, 2, 3, None)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('runs', nargs='+', help='VARIANT:SEED below OUT/work_dirs')
    parser.add_argument('--epochs', type=int, default=6, help='that they were trained for')
    parser.add_argument('--out', type=Path, required=True, help="run.py's")
    return parser.parse_args()


def cells(name, seed, args):
    cfg = configure(name, seed, args.epochs, args.out)
    cfg.load_from = str(Path(cfg.work_dir) / f'epoch_{args.epochs}.pth')
    runner = Runner.from_cfg(cfg)
    runner.load_or_resume()
    for cap in CAPS:
        runner.model.backbone.set_budget(max_iterations=cap)
        found = evaluate(runner)
        right = sum(a == b for a, b in zip(found['label'], found['prediction'], strict=True))
        images = len(found['label'])
        macs = sum(found['macs']) / images / found['macs_full']
        yield f'{100 * right / images:.1f} at {100 * macs:.1f}%'


def main():
    args = parse_args()
    torch.set_num_threads(1)
    names = ['network', *('all' if cap is None else f'at most {cap}' for cap in CAPS)]
    print(f'| {" | ".join(names)} |\n|{"---|" * len(names)}')
    for run in args.runs:
        name, seed = run.split(':')
        print(f'| {name} ({seed}) | {" | ".join(cells(name, int(seed), args))} |', flush=True)


if __name__ == '__main__':
    main()
