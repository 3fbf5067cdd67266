"""Static budgets, halting (fitted or as trained) and two simple rules on test images.

    PYTHONPATH=. python experiments/fitted_gain/measure.py CONFIG FITTED.pth --out gains.json \\
        --calibrate 'val[3000:]' [--group-by KEY --size-key KEY] [--cfg-options ...]

The vertices of the static envelope and the rules' thresholds are chosen on calibration images.
Halting is compared with static budgets of the same weights, or with those of ``--frontier``.
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

from experiments.fitted_gain.signals import Signals, split_by
from iterbackbone.core.budget_table import Setting
from iterbackbone.mm.configs import build_model, read_config
from iterbackbone.mm.fitting.images import ImageSpec, image_loader
from iterbackbone.mm.fitting.runs import ModelRuns
from iterbackbone.stats.gain import envelope, gain

SHARES = (0.4, 0.41, 0.42, 0.43, 0.44, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
RULE_SHARES = (0.42, 0.5, 0.58, 0.65)
MENU = ((1, 1, 1), (1, 1, 2), (1, 1, 3), (1, 2, 3), (1, 2, 4), (2, 2, 4), (2, 3, 4), (3, 4, 6))


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('config', type=Path)
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--test', type=ImageSpec.parse, default=ImageSpec.parse('test'))
    parser.add_argument('--calibrate', type=ImageSpec.parse, required=True)
    parser.add_argument(
        '--frontier', type=Path, help='checkpoint of the same config, for its static budgets'
    )
    parser.add_argument('--group-by', help='metainfo that names the source of an image')
    parser.add_argument('--size-key', help='metainfo: size of the objects of an image')
    parser.add_argument(
        '--menu', nargs='+', type=depths_of, default=MENU, help='static budgets: 1/1/1 ...'
    )
    parser.add_argument('--shares', nargs='+', type=float, default=SHARES)
    parser.add_argument('--static-only', action='store_true', help='of a network that was not fitted')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return parser.parse_args()


def depths_of(text):
    return tuple(map(int, text.split('/')))


def shown(batches):
    return tqdm(batches, disable=None, leave=False)


class Part:
    """One part of the images at all static budgets."""

    def __init__(self, model, loader, depths):
        self.loader, self.model = loader, model
        runs = ModelRuns(model, loader, progress=shown)
        outcomes = [runs.losses(d) for d in depths]
        self.costs = np.stack([o.macs.numpy() for o in outcomes])
        self.scores = np.stack([o.scores.numpy() for o in outcomes])
        self.likelihoods = np.stack([-o.losses.numpy() for o in outcomes])

    def metainfo(self, key):
        """Of each image; where that is a property of the file the pipeline runs once more."""
        data = self.loader.dataset
        return np.array([data[i]['data_samples'].metainfo[key] for i in range(len(data))])


def size_groups(sizes):
    """(name, places): each size where there are few, else quarters of the images."""
    values = np.unique(sizes)
    if len(values) <= 4:
        return [(f'{value:g}', sizes == value) for value in values]
    ends = np.unique(np.quantile(sizes, (0, 0.25, 0.5, 0.75, 1)))  # fewer parts where many are alike
    part = np.clip(np.searchsorted(ends, sizes, side='left') - 1, 0, None)
    return [(f'{ends[k]:.2f} to {ends[k + 1]:.2f}', part == k) for k in range(len(ends) - 1)]


def by_group(values, groups):
    return {name: float(np.mean(values[places])) for name, places in groups}


def described(found):
    """Scores and gains in points, likelihoods in hundredths of a nat."""
    points = dict(score=found.score, static=found.mixture, G=found.value)
    points.update(low=found.low, high=found.high)
    return {'share': found.share, **{k: 100 * v for k, v in points.items()}, 'p': found.p_value}


def main():
    args = parse_args()
    cfg = read_config(args.config, args.cfg_options)
    model = loaded(cfg, args.checkpoint)
    static = loaded(cfg, args.frontier) if args.frontier else model
    limits = model.backbone.max_iterations
    depths = [d for d in args.menu if all(a <= b for a, b in zip(d, limits, strict=True))]
    test = Part(static, image_loader(cfg, args.test), depths)
    sizes = test.metainfo(args.size_key) if args.size_key else None
    sources = test.metainfo(args.group_by) if args.group_by else None
    groups = [] if sizes is None else size_groups(sizes)
    full = float(test.costs[-1].mean())
    report = {'checkpoint': args.checkpoint.name, 'images': test.costs.shape[1], 'menu': []}
    if args.frontier:
        report['frontier'] = args.frontier.name
    for d, cost, score in zip(depths, test.costs, test.scores, strict=True):
        row = dict(depths=d, share=float(cost.mean()) / full, score=float(score.mean()))
        report['menu'].append({**row, 'by_size': by_group(score, groups)})
    if not args.static_only:
        calibrate = Part(static, image_loader(cfg, args.calibrate), depths)
        costs = calibrate.costs.mean(axis=1)
        vertices = envelope(costs, calibrate.scores.mean(axis=1))
        measured = dict(vertices=vertices, groups=sources)
        likely = dict(measured, vertices=envelope(costs, calibrate.likelihoods.mean(axis=1)))
        fitted = model.backbone.budget_table is not None
        shares = args.shares if fitted else [None]
        report['policy'] = [policy(model, test, s, sizes, groups, measured, likely) for s in shares]
        report['rules'] = list(rules(calibrate, test, vertices, measured))
    args.out.write_text(json.dumps(report, indent=1))
    print(json.dumps(report, indent=1))


def loaded(cfg, checkpoint):
    model = build_model(cfg)
    load_checkpoint(model, str(checkpoint), map_location='cpu', strict=True)
    return model


def policy(model, test, share, sizes, groups, measured, likely):
    """Fitted halting at one share, or with None as training left it."""
    backbone = model.backbone
    limits = backbone.max_iterations
    setting = Setting((0.0,) * len(limits), limits)
    if share is not None:
        setting = backbone.budget_table.at(share)
    seen = []
    handle = backbone.register_forward_hook(lambda *_: seen.append(backbone.iterations()))
    outcome = ModelRuns(model, test.loader, progress=shown).policy(setting)
    handle.remove()
    iterations = torch.cat(seen).sum(dim=1).numpy()
    scores = outcome.scores.numpy()
    costs = outcome.macs.numpy()
    found = gain(costs, scores, test.costs, test.scores, **measured)
    likelihood = gain(costs, -outcome.losses.numpy(), test.costs, test.likelihoods, **likely)
    row = {'asked': share, **described(found), 'log_likelihood': described(likelihood)}
    if groups:
        row['rho_size'] = float(spearmanr(iterations, sizes)[0])
        row['iterations_by_size'] = by_group(iterations, groups)
        row['by_size'] = by_group(scores, groups)
    return row


def rules(calibrate, test, vertices, measured):
    """Two static budgets, each image's chosen by a signal of the cheapest instead of at random."""
    signals = [Signals.of(part.model, part.loader) for part in (calibrate, test)]
    full = calibrate.costs[-1].mean()
    for name in Signals._fields:
        known, unseen = (getattr(each, name) for each in signals)
        for share in RULE_SHARES:
            low, high, threshold = split_by(known, calibrate.costs, vertices, share * full)
            places = np.where(unseen > threshold, high, low), np.arange(len(unseen))
            found = gain(test.costs[places], test.scores[places], test.costs, test.scores, **measured)
            yield {'rule': name, 'asked': share, **described(found)}


if __name__ == '__main__':
    main()
