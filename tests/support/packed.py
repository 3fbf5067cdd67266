"""Packed images as experiments/pack_images.py writes them."""

from __future__ import annotations

import numpy as np


def packed(folder, part, count, side, classes=3):
    """Write noise with labels in turn; returns both arrays."""
    images = np.random.default_rng(0).integers(0, 256, (count, side, side, 3)).astype(np.uint8)
    labels = np.arange(count) % classes
    np.save(folder / f'{part}.npy', images)
    np.save(folder / f'{part}_labels.npy', labels)
    return images, labels
