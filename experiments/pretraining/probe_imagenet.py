"""Linear probe on one image of each of ImageNet's 1000 classes, which took no part in training.

    PYTHONPATH=. python experiments/pretraining/probe_imagenet.py FOLDER --out FILE.json

FOLDER holds the images of github.com/EliSchwartz/imagenet-sample-images. One image of a class says
nothing about other images of it, so the probe names groups of classes instead: animals or things,
and of animals the kind. It is ridge regression on pooled features, by cross-validation.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.transforms import v2

from experiments.pretraining.measure import classifier, named
from iterbackbone import create_model
from iterbackbone.files import whole_file

NAME = 'iterative_resnet50_w32'
TAGS = ('tiny_imagenet', 'tiny_imagenet_distilled')
ANIMALS = 398  # the first ones of ImageNet's classes; the other kinds of animals are one group
KINDS = {
    'birds': (*range(7, 25), *range(80, 101), *range(127, 147)),
    'reptiles and amphibians': range(25, 69),
    'dogs': range(151, 269),
    'other mammals': (*range(101, 107), *range(147, 151), *range(269, 300), *range(330, 389)),
}
FOLDS = 10


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--size', type=int, default=96, metavar='PIXELS')
    parser.add_argument('--out', type=Path, required=True)
    return parser.parse_args()


def groups():
    """Of each class (1000,): whether it is no animal; the kind of animal, the last one for others."""
    classes = torch.arange(1000)
    kinds = torch.full((1000,), len(KINDS))
    for i, members in enumerate(KINDS.values()):
        kinds[list(members)] = i
    return (classes >= ANIMALS).long(), kinds


def read_images(folder, size):
    """(1000, 3, size, size), normalised, in the order of the classes: that of the files' names."""
    paths = sorted(path for path in folder.iterdir() if path.suffix == '.JPEG')
    if len(paths) != 1000:
        raise SystemExit(f'FOLDER must hold 1000 .JPEG images, {folder} holds {len(paths)}')
    crop = v2.Compose([v2.Resize(size), v2.CenterCrop(size), v2.ToImage()])
    images = [crop(Image.open(path).convert('RGB')) for path in paths]
    facts = create_model(f'{NAME}.{TAGS[0]}', pretrained=True).pretrained_cfg
    mean, std = (torch.tensor(facts[key])[:, None, None] for key in ('mean', 'std'))
    return (torch.stack(images).float() / 255 - mean) / std


@torch.no_grad()
def features(images, tag):
    """(1000, C) of unit length, all iterations; random weights without a tag."""
    torch.manual_seed(0)
    name = f'{NAME}.{tag}' if tag else NAME
    model = create_model(name, pretrained=bool(tag), features_only=True).eval()
    maps = [model(batch)[-1] for batch in images.split(100)]
    return F.normalize(torch.cat(maps).mean((2, 3)))


def right(x, y):
    """Whether each row is named rightly by a classifier fitted without its fold, (n,)."""
    fold = torch.from_numpy(np.random.default_rng(0).permutation(len(x)) % FOLDS)
    hits = torch.empty(len(x))
    for k in range(FOLDS):
        weights = classifier(x[fold != k], y[fold != k])
        hits[fold == k] = (named(weights, x[fold == k]) == y[fold == k]).float()
    return hits


def summary(hits, reference):
    """Percent, and the gain over the reference with its interval of 95%, (low, high)."""
    gain = hits - reference
    half = 1.96 * float(gain.std()) / len(gain) ** 0.5
    ends = [round(100 * (float(gain.mean()) + side), 1) for side in (-half, half)]
    return dict(right=round(100 * float(hits.mean()), 1), gain=ends)


def main():
    args = parse_args()
    things, kinds = groups()
    images = read_images(args.folder, args.size)
    report = {
        'size': args.size,
        'most frequent group': dict(
            animal_or_thing=100 * float(things.float().mean()),
            kind_of_animal=100 * float(kinds[:ANIMALS].bincount().max()) / ANIMALS,
        ),
    }
    reference = None
    for tag in (None, *TAGS):
        x = features(images, tag)
        hits = right(x, things), right(x[:ANIMALS], kinds[:ANIMALS])
        reference = reference or hits
        pairs = zip(('animal_or_thing', 'kind_of_animal'), hits, reference, strict=True)
        report[tag or 'random weights'] = {name: summary(h, r) for name, h, r in pairs}
        print(tag, report[tag or 'random weights'], flush=True)
    with whole_file(args.out) as file:
        file.write((json.dumps(report, indent=1) + '\n').encode())


if __name__ == '__main__':
    main()
