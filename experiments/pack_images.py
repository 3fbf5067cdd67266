"""Packs images of one size into two arrays a part.

    PYTHONPATH=. python experiments/pack_images.py FOLDER OUT [--classes N]

Each part of FOLDER (train, val, test), made of class folders, becomes OUT/PART.npy and
OUT/PART_labels.npy. Other files, and what is hidden by a dot, are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from iterbackbone.files import IMAGE_TYPES, whole_file


def pack(folder: Path, out: Path, count: int | None = None) -> None:
    """Write the arrays of each part; the classes are the first ``count`` folders of ``train``."""
    every = folders(folder / 'train')
    classes = {name: k for k, name in enumerate(every[:count])}
    out.mkdir(parents=True, exist_ok=True)
    for part in folders(folder):
        names = folders(folder / part)
        if unknown := set(names) - set(every):
            raise ValueError(f'{folder / part} must have the classes of train, got {sorted(unknown)}')
        files = [
            f
            for name in names
            if name in classes
            for f in sorted((folder / part / name).iterdir())
            if is_image(f)
        ]
        images = [np.asarray(Image.open(f).convert('RGB')) for f in tqdm(files, part, disable=None)]
        labels = [classes[f.parent.name] for f in files]
        for name, array in ((part, np.stack(images)), (f'{part}_labels', np.array(labels))):
            with whole_file(out / f'{name}.npy') as file:
                np.save(file, array)


def folders(folder: Path) -> list[str]:
    """Names of the folders in a folder that are not hidden."""
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith('.'))


def is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_TYPES and not path.name.startswith('.')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('folder', type=Path)
    parser.add_argument('out', type=Path)
    parser.add_argument('--classes', type=int, help='the first so many only; all by default')
    args = parser.parse_args()
    pack(args.folder, args.out, args.classes)
