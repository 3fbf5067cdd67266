"""Trains a network for each start of the block and each way of training; evaluates all depths.

    PYTHONPATH=. python experiments/block_start/run.py --seed 0 --out results [--cfg-options ...]

Writes OUT/ARM_seedS.json: the accuracy on the test images at each static budget. What is there
already is not run again. ``summarise.py`` makes the table.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from experiments.packed_images import PackedImages
from iterbackbone.core.macs import mac_table
from iterbackbone.files import whole_file

GAMMAS = (1.0, 0.3, 0.1)
SHAPES = {'short': (3, 4, 6), 'deep': (1, 1, 36)}
ANYTIME = {  # options of the hook
    'anytime': {},
    'anytime-log-uniform': dict(distribution='log_uniform'),
    'anytime-teacher': dict(teacher=dict(logits='head.fc')),
}
MODES = ('one', 'full', 'unshared', *ANYTIME)


def arm_name(shape, mode, gamma, relu):
    if mode == 'unshared':
        return f'{shape}_{mode}'
    return f'{shape}_{mode}_gamma{gamma:g}_{"relu" if relu else "linear"}'


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--config', type=Path, default=Path(__file__).with_name('cifar.py'))
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--epochs', type=float, default=2)
    parser.add_argument('--shape', choices=SHAPES, default='short')
    parser.add_argument('--modes', nargs='+', choices=MODES, default=('one', 'full', 'anytime'))
    parser.add_argument('--gammas', nargs='+', type=float, default=GAMMAS)
    parser.add_argument('--relu', nargs='+', type=int, choices=(0, 1), default=(0, 1))
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args()
    if 'unshared' in args.modes and args.shape != 'short':
        parser.error("argument --modes: unshared needs --shape short, as ResNet_CIFAR's depth 50")
    return args


def arms(args):
    """(mode, gamma, relu) of each network; the plain ResNet, which has no such start, is one."""
    shared = [mode for mode in args.modes if mode != 'unshared']
    yield from ((m, g, bool(r)) for g in args.gammas for r in args.relu for m in shared)
    if 'unshared' in args.modes:
        yield 'unshared', None, None


def configure(args, mode, gamma, relu):
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    depths = (1, 1, 1) if mode == 'one' else SHAPES[args.shape]
    if mode == 'unshared':
        cfg.model.backbone = unshared(cfg.model.backbone)
    else:
        cfg.model.backbone.update(max_iterations=depths, last_gamma=gamma, last_relu=relu)
    if mode in ANYTIME:
        cfg.custom_hooks = [dict(type='iterbackbone.AnytimeHook', measure_every=0, **ANYTIME[mode])]
    dataset = {k: v for k, v in cfg.train_dataloader.dataset.items() if k != 'type'}
    images = len(PackedImages(**dataset))
    steps = int(args.epochs * images // cfg.train_dataloader.batch_size)
    cfg.train_cfg.update(max_iters=steps, val_interval=steps + 1)
    cfg.param_scheduler.total_steps = steps
    cfg.default_hooks.checkpoint = None
    cfg.randomness = dict(seed=args.seed)
    cfg.work_dir = str(
        args.out / 'work_dirs' / f'{arm_name(args.shape, mode, gamma, relu)}_{args.seed}'
    )
    return cfg


def unshared(backbone):
    """The plain ResNet of the same blocks, widths and strides."""
    n, width = backbone.num_stages, backbone.base_channels
    stages = dict(num_stages=n, strides=backbone.strides, dilations=(1,) * n, out_indices=(n - 1,))
    return dict(type='ResNet_CIFAR', depth=50, stem_channels=width, base_channels=width, **stages)


def budgets(depths):
    """From one iteration a stage to all; first the last stage deepens, then the one before it."""
    even = {tuple(round(1 + s * (n - 1)) for n in depths) for s in (0, 0.25, 0.5, 0.75, 1)}
    late = {
        tuple(min(n, 1 + (k >= first)) for k, n in enumerate(depths)) for first in range(len(depths))
    }
    return sorted(even | late, key=lambda b: (sum(b), b))


@torch.no_grad()
def evaluate(runner, mode):
    """Of each static budget (of all iterations, but for anytime networks): correct test images."""
    model = runner.model.eval()
    loader = runner.build_dataloader(runner.cfg.test_dataloader, seed=0)
    if mode == 'unshared':
        return [correct(model, loader)]
    backbone, size = model.backbone, runner.cfg.model.data_preprocessor.size
    table = mac_table(backbone, (size, size))
    full, rows = tuple(backbone.max_iterations), []
    for depths in budgets(full) if mode in ANYTIME else [full]:
        backbone.set_budget(max_iterations=depths)
        row = {'depths': depths, 'macs': table.total(depths, depths), 'macs_full': table.highest}
        rows.append({**row, **correct(model, loader)})
    return rows


def correct(model, loader):
    right = [s.pred_label == s.gt_label for batch in loader for s in model.test_step(batch)]
    return {'correct': int(torch.cat(right).sum()), 'images': len(right)}


def run(args, mode, gamma, relu):
    path = args.out / f'{arm_name(args.shape, mode, gamma, relu)}_seed{args.seed}.json'
    if path.is_file():
        return
    cfg = configure(args, mode, gamma, relu)
    runner = Runner.from_cfg(cfg)
    runner.train()
    arm = dict(shape=args.shape, mode=mode, gamma=gamma, relu=relu, seed=args.seed)
    with whole_file(path) as file:
        file.write(
            json.dumps({**arm, 'epochs': args.epochs, 'budgets': evaluate(runner, mode)}).encode()
        )
    print(path.read_text(), flush=True)


def main():
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for arm in arms(args):
        run(args, *arm)


if __name__ == '__main__':
    main()
