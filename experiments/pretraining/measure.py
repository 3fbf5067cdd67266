"""Accuracy of a pre-trained network at several budgets and sizes, and a linear probe of its features.

    PYTHONPATH=. python experiments/pretraining/measure.py CHECKPOINT --out FILE.json [--probe FOLDER]

The probe is ridge regression on the pooled features of other images (packed, such as CIFAR-10's), once
with the trained and once with random weights; its penalty is chosen on a tenth of the training images.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import DictAction
from mmengine.runner import load_checkpoint
from tqdm import tqdm

from experiments.packed_images import PackedImages
from iterbackbone.core.adaptive import AdaptiveModule
from iterbackbone.core.macs import mac_table
from iterbackbone.files import whole_file
from iterbackbone.mm.configs import build_model, read_config

SHARES = (0, 0.25, 0.5, 1)  # of the iterations beyond the first
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('--config', type=Path, default=Path(__file__).with_name('iterative.py'))
    parser.add_argument('--sizes', type=int, nargs='+', default=[48, 64, 96], metavar='PIXELS')
    parser.add_argument('--probe', type=Path, help='folder of packed train and test images')
    parser.add_argument('--probe-size', type=int, default=64, metavar='PIXELS')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return parser.parse_args()


def batches(dataset, size=250):
    for start in tqdm(range(0, len(dataset), size), disable=None, leave=False):
        items = [dataset[i] for i in range(start, min(start + size, len(dataset)))]
        labels = torch.tensor([int(item['data_samples'].gt_label) for item in items])
        yield [item['inputs'] for item in items], labels


@torch.no_grad()
def accuracy(model, dataset, size):
    """Top-1 in percent of the whole data set at one input size."""
    model.data_preprocessor.size = size
    right = 0
    for inputs, labels in batches(dataset):
        x = model.data_preprocessor({'inputs': inputs})['inputs']
        right += int((model(x, mode='tensor').argmax(1) == labels).sum())
    return 100 * right / len(dataset)


def budgets(backbone):
    """Depths of each static budget; None of a network that has one depth only."""
    if not isinstance(backbone, AdaptiveModule):
        return [None]
    full = backbone.max_iterations
    return sorted({tuple(round(1 + s * (n - 1)) for n in full) for s in SHARES})


def at_budgets(model, dataset, size):
    rows = []
    for depths in budgets(model.backbone):
        row = {'size': size}
        if depths:
            model.backbone.set_budget(max_iterations=depths)
            table = mac_table(model.backbone, (size, size))
            row |= {'depths': depths, 'share': table.total(depths, depths) / table.highest}
        rows.append({**row, 'top1': accuracy(model, dataset, size)})
        print(json.dumps(rows[-1]), flush=True)
    return rows


@torch.no_grad()
def features(model, dataset):
    found = [
        (model.backbone(model.data_preprocessor({'inputs': inputs})['inputs'])[-1].mean((2, 3)), labels)
        for inputs, labels in batches(dataset)
    ]
    x, y = (torch.cat(part) for part in zip(*found, strict=True))
    return F.normalize(x), y


def ridge(x, y, penalty):
    """(features + 1, classes) weights for one-hot targets."""
    x = torch.cat([x, torch.ones(len(x), 1)], dim=1).double()
    targets = F.one_hot(y).double()
    return torch.linalg.solve(x.T @ x + penalty * torch.eye(x.shape[1]).double(), x.T @ targets)


def named(weights, x):
    """The classes (n,) that a classifier says."""
    return (x @ weights[:-1] + weights[-1]).argmax(1)


def classifier(x, y):
    """Weights of ridge regression; its penalty is chosen on a tenth of the rows."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(x)))
    kept, held = order[len(x) // 10 :], order[: len(x) // 10]

    def right(penalty):
        weights = ridge(x[kept], y[kept], penalty).float()
        return int((named(weights, x[held]) == y[held]).sum())

    return ridge(x, y, max(PENALTIES, key=right)).float()


def probe(model, folder, size):
    """Top-1 in percent of a linear classifier on frozen features, all iterations."""
    model.data_preprocessor.size = size
    if isinstance(model.backbone, AdaptiveModule):
        model.backbone.set_budget()
    (x, y), (xt, yt) = (
        features(model, PackedImages(str(folder), part, 10000)) for part in ('train', 'test')
    )
    return 100 * float((named(classifier(x, y), xt) == yt).float().mean())


def main():
    args = parse_args()
    cfg = read_config(args.config, args.cfg_options)
    torch.manual_seed(0)
    model = build_model(cfg).eval()
    report = {'checkpoint': args.checkpoint.name, 'probe': {}}
    if args.probe:
        report['probe']['random weights'] = probe(model, args.probe, args.probe_size)
    load_checkpoint(model, str(args.checkpoint), map_location='cpu', strict=True)
    if args.probe:
        report['probe']['trained'] = probe(model, args.probe, args.probe_size)
        print(report['probe'], flush=True)
    dataset = PackedImages(cfg.val_dataloader.dataset.data_root, 'val')
    report['accuracy'] = [row for size in args.sizes for row in at_budgets(model, dataset, size)]
    with whole_file(args.out) as file:
        file.write(json.dumps(report, indent=1).encode())


if __name__ == '__main__':
    main()
