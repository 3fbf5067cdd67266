"""How well a segmentor did on one image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class SegmentationScore(NamedTuple):
    """Agreement of a predicted with a true label map; None without labelled pixels."""

    miou: float | None
    pixel_accuracy: float | None  # share of the labelled pixels with the right label


def score_label_map(
    predicted: ArrayLike, true: ArrayLike, ignore_index: int = 255
) -> SegmentationScore:
    """Compare two label maps of class indices, (H, W) each; ``ignore_index`` is no label.

    The mean intersection over union is that of the true map's classes: those that are predicted only
    have no term of their own.

    Raises:
        ValueError: the maps differ in shape.
    """
    labels = np.asarray(true)
    labelled = labels != ignore_index
    classes = np.unique(labels[labelled])
    shared, union = class_overlaps(predicted, labels, int(classes.max(initial=0)) + 1, ignore_index)
    if not len(classes):
        return SegmentationScore(None, None)
    return SegmentationScore(
        miou=float((shared[classes] / union[classes]).mean()),
        pixel_accuracy=float(shared.sum() / labelled.sum()),
    )


def class_overlaps(
    predicted: ArrayLike, true: ArrayLike, num_classes: int, ignore_index: int = 255
) -> NDArray[np.int64]:
    """(2, num_classes) pixels of each class that are true and predicted, and true or predicted.

    The maps are those of :func:`score_label_map`; greater predicted indices belong to no class.

    Raises:
        ValueError: the maps differ in shape, or a true index is not below ``num_classes``.
    """
    labels, guesses = np.asarray(true), np.asarray(predicted)
    if labels.shape != guesses.shape:
        raise ValueError(f'predicted must have the shape of true {labels.shape}, got {guesses.shape}')
    labelled = labels != ignore_index
    labels, guesses = labels[labelled], guesses[labelled]
    if labels.max(initial=0) >= num_classes:
        raise ValueError(f'true must be below {num_classes}, got {labels.max()}')
    shared, areas, guessed = (
        np.bincount(of, minlength=num_classes)[:num_classes]
        for of in (labels[labels == guesses], labels, guesses)
    )
    return np.stack([shared, areas + guessed - shared])
