"""Label maps, objects and score of one image, from mmseg's data sample."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ...log.schema import UNLABELLED, UNLABELLED_16
from ...stats.objects import LabelMapSummary, summarise_label_map
from ...stats.segmentation_score import SegmentationScore, score_label_map
from .sources import Source

FIELDS = ('num_difficult', 'class_names', *LabelMapSummary._fields, *SegmentationScore._fields)


def is_segmentation(sample: Any) -> bool:
    """Whether a data sample holds a predicted label map."""
    return 'pred_sem_seg' in sample and 'data' in sample.pred_sem_seg


def true_label_map(sample: Any, source: Source, say: Callable[[str], None]) -> np.ndarray | None:
    """The sample's map where the pipeline left it alone, else the data set's own, read again.

    ``say`` is told where there are annotations that cannot be read.
    """
    if 'gt_sem_seg' not in sample:
        return None
    packed, shape = plane(sample.gt_sem_seg), plane(sample.pred_sem_seg).shape
    if packed.shape == shape and not sample.metainfo.get('flip') and not source.named('Flip'):
        return packed
    loaded = source.label_map()
    if loaded is not None and loaded.shape == shape:
        return loaded
    say(
        'the annotated label maps, which the pipeline changes, cannot be read again from the data set: '
        'their fields are null'
    )
    return None


def label_maps(
    sample: Any, true: np.ndarray | None, ignore_index: int = UNLABELLED, num_classes: int = 0
) -> dict[str, np.ndarray]:
    """``predicted_map`` and, of an annotated image, ``true_map``, as the log's format states them.

    (H, W) uint8 or, for more than 255 ``num_classes``, uint16. The ``ignore_index`` is that of ``true``
    pixels without a label, beside 255 where that is no class: mmseg gives it to the reduced zero label.
    """
    predicted, wide = plane(sample.pred_sem_seg), num_classes > UNLABELLED
    maps = {'predicted_map': _packed(predicted, np.zeros(predicted.shape, dtype=bool), wide)}
    if true is not None:
        ignored = (true == ignore_index) | (not wide and true == UNLABELLED)
        maps['true_map'] = _packed(true, ignored, wide)
    return maps


def label_map_fields(
    maps: Mapping[str, np.ndarray], classes: Sequence[str], background: Collection[int] = ()
) -> dict[str, Any]:
    """The object fields of a record, and its score; ``background`` labels are no objects."""
    if 'true_map' not in maps:
        return dict.fromkeys(FIELDS)
    true = maps['true_map']
    ignored = UNLABELLED if true.dtype == np.uint8 else UNLABELLED_16
    labels = [int(n) for n in np.unique(true) if n != ignored]
    return {
        'num_difficult': None,
        'class_names': [classes[n] if n < len(classes) else str(n) for n in labels],
        **summarise_label_map(true, ignored, background=background)._asdict(),
        **score_label_map(maps['predicted_map'], true, ignored)._asdict(),
    }


def plane(pixels: Any) -> np.ndarray:
    """(H, W) of mmengine's ``PixelData``, which holds (1, H, W), or (H, W) behind a TTA model."""
    array = pixels.data.long().cpu().numpy()  # a threshold's may be bfloat16, which NumPy lacks
    return array.reshape(array.shape[-2:])


def _packed(label_map: np.ndarray, ignored: np.ndarray, wide: bool) -> np.ndarray:
    wide = wide or label_map[~ignored].max(initial=0) > UNLABELLED
    marked = np.where(ignored, UNLABELLED_16 if wide else UNLABELLED, label_map.astype(np.int64))
    return marked.astype(np.uint16 if wide else np.uint8)
