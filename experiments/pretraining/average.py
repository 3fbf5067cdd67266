"""The mean of several checkpoints' weights, with BatchNorm statistics of its own.

    PYTHONPATH=. python experiments/pretraining/average.py CHECKPOINT CHECKPOINT... --out MEAN.pth

For checkpoints of one training, such as the ends of its cycles (Izmailov et al. 2018, Averaging Weights
Leads to Wider Optima and Better Generalization). The statistics are those of training batches at drawn
depths.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from mmengine.config import DictAction
from mmengine.runner import Runner, load_checkpoint
from torch.optim.swa_utils import AveragedModel, update_bn
from tqdm import tqdm

from iterbackbone.core.depths import draw_depths
from iterbackbone.files import whole_file
from iterbackbone.mm.configs import build_model, read_config


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('checkpoints', type=Path, nargs='+')
    parser.add_argument('--config', type=Path, default=Path(__file__).with_name('distilled.py'))
    parser.add_argument('--batches', type=int, default=100, help='for the statistics')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return parser.parse_args()


def mean_of(model, checkpoints):
    """AveragedModel of the checkpoints' parameters."""
    mean = AveragedModel(model)
    for path in checkpoints:
        load_checkpoint(model, str(path), map_location='cpu', strict=True)
        mean.update_parameters(model)
    return mean.module


def training_inputs(model, loader, batches):
    """Inputs of training batches; before each the rows' depths are drawn."""
    backbone, generator = model.backbone, torch.Generator().manual_seed(0)
    for _, batch in zip(tqdm(range(batches), disable=None), loader, strict=False):
        inputs = model.data_preprocessor(batch, training=True)['inputs']
        depths = draw_depths(len(inputs), backbone.max_iterations, 'mixed', 0.15, generator)
        backbone.force_depths(depths)
        yield inputs
    backbone.force_depths(None)


def main():
    args = parse_args()
    cfg = read_config(args.config, args.cfg_options)
    torch.manual_seed(0)
    mean = mean_of(build_model(cfg), args.checkpoints)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    update_bn(training_inputs(mean, loader, args.batches), mean)
    with whole_file(args.out) as file:
        torch.save({'state_dict': mean.state_dict()}, file)


if __name__ == '__main__':
    main()
