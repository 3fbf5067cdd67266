"""Trains one variant of the halting experiments and evaluates it on the test images.

Writes OUT/VARIANT_seedS.json.gz: the settings, the training scalars, and for every test image the
label, the prediction, the iterations of each stage and the MACs.
"""

import argparse
import gzip
import json
import time
from pathlib import Path

import architecture  # noqa: F401  registers hooks, as the next three
import costs  # noqa: F401
import prices  # noqa: F401
import scores  # noqa: F401
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from variants import VARIANTS

from iterbackbone.core.macs import mac_table
from iterbackbone.files import whole_file


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('variants', nargs='+', help=f'any of {", ".join(VARIANTS)}')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--epochs', type=int)
    parser.add_argument('--out', type=Path, required=True)
    return parser.parse_args()


def file_name(name, seed):
    return f'{name}_seed{seed}.json.gz'


def configure(name, seed, epochs, out):
    cfg = Config.fromfile(Path(__file__).with_name('config.py'))
    options = json.loads(
        json.dumps(VARIANTS[name]).replace('OUT/', f'{out}/').replace('SEED', str(seed))
    )
    hooks = options.pop('hooks', [])
    ponder = options.pop('ponder', {})
    cfg.custom_hooks = [dict(type='iterbackbone.PonderCostHook', **{'weight': 0.005, **ponder}), *hooks]
    cfg.merge_from_dict(options)
    if epochs:
        cfg.train_cfg.max_epochs = epochs
        cfg.default_hooks.checkpoint.interval = epochs
    cfg.randomness = dict(seed=seed)
    cfg.work_dir = str(out / 'work_dirs' / f'{name}_seed{seed}')
    return cfg


@torch.no_grad()
def evaluate(runner, batch_statistics=False):
    """Per test image: label, prediction, iterations per stage, MACs.

    With ``batch_statistics`` every BatchNorm uses those of its batch, as in training; the classes
    are mixed, then.
    """
    model = runner.model.train(batch_statistics)
    sampler = dict(type='DefaultSampler', shuffle=batch_statistics)
    loader = runner.build_dataloader({**runner.cfg.test_dataloader, 'sampler': sampler}, seed=0)
    backbone = model.backbone
    table = mac_table(backbone, (32, 32))
    found = {'label': [], 'prediction': [], 'confidence': [], 'iterations': [], 'macs': []}
    for batch in loader:
        for sample in model.test_step(batch):
            found['label'].append(int(sample.gt_label))
            found['prediction'].append(int(sample.pred_label))
            found['confidence'].append(round(float(sample.pred_score.max()), 4))
        trace = backbone.trace
        found['iterations'] += trace.iterations.tolist()
        found['macs'] += [table.total(n, limits=trace.limits) for n in trace.iterations.tolist()]
    return {**found, 'macs_full': table.highest, 'macs_lowest': table.lowest}


def training_scalars(runner):
    lines = Path(runner.log_dir, 'vis_data', 'scalars.json').read_text().splitlines()
    names = ('loss', 'iterations', 'one_iter', 'ponder', 'step', 'target', 'share')
    return [
        {k: round(v, 5) for k, v in json.loads(x).items() if any(n in k for n in names)} for x in lines
    ]


def run(name, seed, epochs, out):
    cfg = configure(name, seed, epochs, out)
    runner = Runner.from_cfg(cfg)
    started, cpu = time.monotonic(), time.process_time()
    runner.train()
    spent = {'seconds': time.monotonic() - started, 'cpu_seconds': time.process_time() - cpu}
    if 'held' in name:
        runner.model.backbone.hold_halting(True)
    result = evaluate(runner)
    trained = evaluate(runner, batch_statistics=True)
    gap = {
        'correct': sum(a == b for a, b in zip(trained['label'], trained['prediction'], strict=True)),
        'macs': sum(trained['macs']),
    }
    scalars = training_scalars(runner)
    content = {
        'variant': name,
        'seed': seed,
        'options': VARIANTS[name],
        'epochs': cfg.train_cfg.max_epochs,
    }
    text = json.dumps(
        {**content, **spent, 'test': result, 'batch_statistics': gap, 'training': scalars}
    )
    with whole_file(out / file_name(name, seed)) as file:
        file.write(gzip.compress(text.encode(), mtime=0))
    report(name, seed, spent, result)


def report(name, seed, spent, result):
    n = torch.tensor(result['iterations']).float()
    macs = torch.tensor(result['macs']).float() / result['macs_full']
    right = torch.tensor(result['label']) == torch.tensor(result['prediction'])
    print(
        f'{name} seed {seed}: {right.float().mean():.3f} correct, {macs.mean():.1%} of the MACs, '
        f'iterations {"/".join(f"{x:.2f}" for x in n.mean(dim=0))}, '
        f'std of the total {n.sum(dim=1).std():.2f}, {spent["cpu_seconds"]:.0f} s of processor',
        flush=True,
    )


def main():
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name in args.variants:
        if not (args.out / file_name(name, args.seed)).is_file():
            run(name, args.seed, args.epochs, args.out)


if __name__ == '__main__':
    main()
