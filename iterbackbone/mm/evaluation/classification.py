"""Label, prediction and picture of one image, from mmpretrain's data sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

TOLERANCE = 0.01  # of probabilities in half precision


def is_classification(sample: Any, model: nn.Module) -> bool:
    """Whether a data sample holds one predicted class: a probability for each of them.

    Scores of regression and multi-label heads and of retrievers do not sum to one, their predicted
    labels are no integers or several, or their name says so.
    """
    heads = ' '.join(base.__name__ for base in type(getattr(model, 'head', None)).__mro__)
    if 'pred_score' not in sample or 'MultiLabel' in heads:
        return False
    scores, label = sample.pred_score, sample.get('pred_label')
    if label is not None and (label.numel() != 1 or label.is_floating_point()):
        return False
    shares = scores.ndim == 1 and len(scores) > 1 and bool((scores >= 0).all())
    return shares and abs(float(scores.sum()) - 1) < TOLERANCE


def class_fields(sample: Any, classes: tuple[str, ...]) -> dict[str, Any]:
    """The classes of a record, with their names by label.

    A negative ``gt_label``, as mmpretrain's data sets give unlabelled images, is no label.
    """
    # Not pred_label: behind test-time augmentation it is the first augmentation's.
    prediction = int(sample.pred_score.argmax())
    true = sample.get('gt_label')
    label = int(true) if true is not None and true.numel() == 1 and true >= 0 else None
    name = str(label) if label is None or label >= len(classes) else classes[label]
    return {
        'label': label,
        'prediction': prediction,
        'correct': None if label is None else prediction == label,
        'confidence': float(sample.pred_score[prediction]),
        'class_names': None if label is None else [name],
    }


def picture(sample: Any, info: dict[str, Any] | None) -> np.ndarray | None:
    """The image of an ``info`` that holds an array instead of a file, as of CIFAR's archives.

    (H, W, 3) uint8, red, green and blue as mmpretrain's data sets hold them, or (H, W).
    """
    return None if sample.metainfo.get('img_path') or info is None else info.get('img')
