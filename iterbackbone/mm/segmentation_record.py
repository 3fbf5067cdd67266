"""Label maps, objects and score of one image, from mmseg's data sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..stats.objects import LabelMapSummary, summarise_label_map
from ..stats.segmentation_score import SegmentationScore, score_label_map

IGNORED = 255  # mmseg's index of pixels without a label, the reduced zero label with them
BACKGROUND = 'background'  # VOC's name of what is no object
FIELDS = ('num_difficult', 'class_names', *LabelMapSummary._fields, *SegmentationScore._fields)


def is_segmentation(sample: Any) -> bool:
    """Whether a data sample holds a predicted label map."""
    return 'pred_sem_seg' in sample and 'data' in sample.pred_sem_seg


def label_maps(sample: Any) -> dict[str, np.ndarray]:
    """The label maps in the original image's frame, (H, W) uint8 or uint16 each.

    Args:
        sample: mmseg's ``SegDataSample``. Its prediction has the original size, and so have
            annotations that were loaded behind Resize, as in mmseg's test pipelines; others
            are brought there by the nearest pixel.

    Returns:
        ``predicted_map`` and, of an annotated image, ``true_map`` with the dataset's classes
        (after the zero label's reduction) and 255 where there is no label.
    """
    predicted = _plane(sample.pred_sem_seg)
    if 'gt_sem_seg' not in sample:
        return {'predicted_map': predicted}
    true = _resized(_plane(sample.gt_sem_seg), predicted.shape)
    return {'predicted_map': predicted, 'true_map': true}


def label_map_fields(maps: Mapping[str, np.ndarray], classes: tuple[str, ...]) -> dict[str, Any]:
    """The object fields of :class:`~iterbackbone.stats.records.IterationRecord`, and the score.

    Args:
        maps: See :func:`label_maps`.
        classes: Names by label. The components of one named ``background`` are no objects.
    """
    if 'true_map' not in maps:
        return dict.fromkeys(FIELDS)
    true = maps['true_map']
    background = classes.index(BACKGROUND) if BACKGROUND in classes else None
    labels = [int(n) for n in np.unique(true) if n != IGNORED]
    return {
        'num_difficult': None,
        'class_names': [classes[n] if n < len(classes) else str(n) for n in labels],
        **summarise_label_map(true, IGNORED, background=background)._asdict(),
        **score_label_map(maps['predicted_map'], true, IGNORED)._asdict(),
    }


def _plane(pixels: Any) -> np.ndarray:
    """(H, W) of mmengine's ``PixelData``, which holds (1, H, W), or (H, W) behind a TTA model."""
    array = pixels.data.cpu().numpy()
    array = array.reshape(array.shape[-2:])
    return array.astype(np.uint8 if array.max() < 256 else np.uint16)


def _resized(label_map: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.int64)
        for new, old in zip(shape, label_map.shape, strict=True)
    )
    return label_map[np.ix_(rows, columns)]
