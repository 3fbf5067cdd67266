"""How far the results of two files lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .runtime import open_session, run


class Agreement(NamedTuple):
    """Over all images.

    Attributes:
        iterations: Share of images with the same iterations in all blocks.
        same_per_block: Share of images with the same iterations, (K,).
        difference_per_block: Mean absolute difference of iterations, (K,).
        errors: Of each result: mean difference over mean magnitude; of a label map the share of
            pixels that differ; infinite where shapes differ.
        top1: Share of images with the same highest score; None without ``scores``.
    """

    iterations: float
    same_per_block: np.ndarray
    difference_per_block: np.ndarray
    errors: dict[str, float]
    top1: float | None


def agreement(old: bytes | str, new: bytes | str, images: Sequence[np.ndarray]) -> Agreement:
    """Run both files on every image.

    Args:
        old, new: Content or path of files of the same network.
        images: (B, 3, H, W) uint8 in RGB each.
    """
    sessions = open_session(old), open_session(new)
    names = [output.name for output in sessions[0].get_outputs()]
    pairs = [[dict(zip(names, run(s, None, i), strict=True)) for s in sessions] for i in images]
    apart = np.abs(np.concatenate([a['iterations'] - b['iterations'] for a, b in pairs]))
    results = [name for name in names if name not in ('iterations', 'macs')]
    errors = {n: float(np.mean([_error(n, a[n], b[n]) for a, b in pairs])) for n in results}
    top1 = None
    if 'scores' in results and pairs[0][0]['scores'].ndim == 2:  # not those of boxes
        best = [a['scores'].argmax(1) == b['scores'].argmax(1) for a, b in pairs]
        top1 = float(np.concatenate(best).mean())
    same = apart == 0
    return Agreement(float(same.all(axis=1).mean()), same.mean(0), apart.mean(0), errors, top1)


def _error(name: str, old: np.ndarray, new: np.ndarray) -> float:
    if old.shape != new.shape:  # other boxes were found
        return float('inf')
    if name == 'label_map':
        return float(np.mean(old != new))
    magnitude = max(float(np.abs(old).mean()), float(np.finfo(np.float32).tiny))
    return float(np.abs(new - old).mean()) / magnitude
