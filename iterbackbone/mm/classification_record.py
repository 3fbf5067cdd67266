"""Label, prediction and picture of one image, from mmpretrain's data sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn


def is_classification(sample: Any, model: nn.Module) -> bool:
    """Whether a data sample holds one predicted class.

    Multi-label heads give scores, too, and say so by their name only.
    """
    head = getattr(model, 'head', None)
    names = [base.__name__ for base in type(head).__mro__]
    return 'pred_score' in sample and not any('MultiLabel' in name for name in names)


def class_fields(sample: Any, classes: tuple[str, ...]) -> dict[str, Any]:
    """The classes of :class:`~iterbackbone.stats.records.IterationRecord`.

    Args:
        sample: mmpretrain's ``DataSample`` with ``pred_score`` (classes,), and with
            ``gt_label`` (1,) where the image is labelled.
        classes: Names by label.
    """
    # Not pred_label: behind test-time augmentation it is the first augmentation's.
    prediction = int(sample.pred_score.argmax())
    label = int(sample.gt_label) if 'gt_label' in sample else None
    name = str(label) if label is None or label >= len(classes) else classes[label]
    return {
        'label': label,
        'prediction': prediction,
        'correct': None if label is None else prediction == label,
        'confidence': float(sample.pred_score[prediction]),
        'class_names': None if label is None else [name],
    }


def identity_fields(sample: Any, image: np.ndarray | None) -> dict[str, Any]:
    """What of ``img_id``, ``height`` and ``width`` is better known than from the sample alone.

    Files of different class folders may have equal names: ``cat/0001`` of ``.../cat/0001.png``.

    Args:
        sample: mmpretrain's ``DataSample``.
        image: See :func:`picture`.
    """
    info = sample.metainfo
    if image is not None:
        return {'height': image.shape[0], 'width': image.shape[1]}
    if 'img_id' in info or not info.get('img_path'):
        return {}
    file = Path(info['img_path'])
    return {'img_id': f'{file.parent.name}/{file.stem}'}


def picture(sample: Any, dataset: Any, index: Any) -> np.ndarray | None:
    """The image of a data set that holds arrays instead of files, such as CIFAR's archives.

    Args:
        sample: Of the image.
        dataset: mmengine's ``BaseDataset``, a wrapper of it, or another that has no such images.
        index: Place of the image in ``dataset``; None where it is unknown.

    Returns:
        (H, W, 3) uint8, red, green and blue as mmpretrain's data sets hold them, or (H, W);
        None where the image is a file.
    """
    if sample.metainfo.get('img_path') or not hasattr(dataset, 'get_data_info'):
        return None
    return dataset.get_data_info(index).get('img') if isinstance(index, int) else None
