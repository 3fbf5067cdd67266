"""Static budgets and the fitted policy on the test canvases: G, shuffles, iterations by tile size.

    PYTHONPATH=. python experiments/mosaics/measure.py FITTED.pth --out gains.json [--cfg-options ...]

The vertices of the static envelope are chosen on the calibration canvases. Test canvases of one
pool share source images, so pools are resampled.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from mmengine.config import DictAction
from mmengine.runner import load_checkpoint
from scipy.stats import spearmanr
from tqdm import tqdm

from iterbackbone.mm.counting.model_building import build_model, read_config
from iterbackbone.mm.fitting.images import ImageSpec, image_loader
from iterbackbone.mm.fitting.runs import ModelRuns
from iterbackbone.stats.gain import envelope, gain

CONFIG = Path(__file__).with_name('anytime.py')
SHARES = (0.4, 0.41, 0.42, 0.43, 0.44, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
MENU = ((1, 1, 1), (1, 1, 2), (1, 1, 3), (1, 2, 3), (1, 2, 4), (2, 2, 4), (2, 3, 4), (3, 4, 6))


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--test', type=ImageSpec.parse, default=ImageSpec.parse('test'))
    parser.add_argument('--calibrate', type=ImageSpec.parse, default=ImageSpec.parse('val[3000:]'))
    parser.add_argument('--static-only', action='store_true', help='of a network that was not fitted')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return parser.parse_args()


def metainfo(loader, key):
    """Of each canvas; the images themselves are not needed."""
    return np.array(
        [loader.dataset[i]['data_samples'].metainfo[key] for i in range(len(loader.dataset))]
    )


def by_tile(values, tiles):
    return {int(t): float(np.mean(values[tiles == t])) for t in sorted(set(tiles))}


def main():
    args = parse_args()
    cfg = read_config(CONFIG, args.cfg_options)
    model = build_model(cfg)
    load_checkpoint(model, str(args.checkpoint), map_location='cpu', strict=True)
    runs = {}
    for name in ('calibrate', 'test'):
        loader = image_loader(cfg, getattr(args, name))
        runs[name] = ModelRuns(model, loader, progress=lambda b: tqdm(b, disable=None, leave=False))
    backbone = model.backbone
    depths = [d for d in MENU if all(a <= b for a, b in zip(d, backbone.max_iterations, strict=True))]
    menu = {name: [run.losses(d) for d in depths] for name, run in runs.items()}
    tiles, pools = (metainfo(runs['test'].loader, key) for key in ('tile', 'pool'))
    full = float(menu['test'][-1].macs.mean())
    report = {
        'checkpoint': args.checkpoint.name,
        'canvases': len(tiles),
        'menu': [
            {
                'depths': list(d),
                'share': float(o.macs.mean()) / full,
                'score': float(o.scores.mean()),
                'by_tile': by_tile(o.scores.numpy(), tiles),
            }
            for d, o in zip(depths, menu['test'], strict=True)
        ],
        'policy': [],
    }
    vertices = None
    if not args.static_only:
        vertices = envelope(
            *([float(getattr(o, k).mean()) for o in menu['calibrate']] for k in ('macs', 'scores'))
        )
    for share in () if args.static_only else SHARES:
        row = policy(runs['test'], share, menu['test'], vertices, tiles, pools)
        report['policy'].append(row)
        print(json.dumps(row), flush=True)
    args.out.write_text(json.dumps(report, indent=1))
    print(json.dumps(report['menu'], indent=1))


def policy(run, share, menu, vertices, tiles, pools):
    """One share of the fitted policy."""
    backbone = run.model.backbone
    backbone.set_budget(share=share)
    seen = []
    handle = backbone.register_forward_hook(lambda *_: seen.append(backbone.iterations()))
    outcome = run.policy([backbone.budget_table.at(share)])
    handle.remove()
    iterations = torch.cat(seen).sum(dim=1).numpy()
    menu_costs = torch.stack([o.macs for o in menu]).numpy()
    menu_scores = torch.stack([o.scores for o in menu]).numpy()
    found = gain(
        outcome.macs.numpy(),
        outcome.scores.numpy(),
        menu_costs,
        menu_scores,
        vertices=vertices,
        groups=pools,
    )
    return {
        'asked': share,
        'share': found.share,
        'score': 100 * found.score,
        'static': 100 * found.mixture,
        'G': 100 * found.value,
        'low': 100 * found.low,
        'high': 100 * found.high,
        'p': found.p_value,
        'rho_tile': float(spearmanr(iterations, tiles)[0]),
        'iterations_by_tile': by_tile(iterations, tiles),
        'by_tile': by_tile(outcome.scores.numpy(), tiles),
    }


if __name__ == '__main__':
    main()
