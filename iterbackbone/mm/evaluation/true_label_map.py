"""The annotated label map of an image in the original frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .frames import scale_of
from .image_frames import may_be_flipped
from .segmentation import plane, small
from .sources import Source


def true_label_map(
    sample: Any, source: Source, shape: tuple[int, ...], say: Callable[[str], None]
) -> np.ndarray | None:
    """The sample's map where the pipeline left it alone, else the data set's own, read again.

    Annotations that were resized only and cannot be read again are brought back by the nearest pixel.

    Args:
        sample: mmseg's ``SegDataSample``.
        source: Of the sample.
        shape: (H, W) of the original image.
        say: Told what cannot be known.

    Returns:
        (H, W); None without annotations, and where their frame is unknown.
    """
    if 'gt_sem_seg' not in sample:
        return None
    packed = plane(sample.gt_sem_seg)
    flipped = may_be_flipped(sample, source)
    if packed.shape == shape and not flipped:
        return packed
    loaded = source.label_map()
    if loaded is not None and loaded.shape == shape:
        return small(loaded)
    scale = scale_of(sample.metainfo)[::-1] if 'scale_factor' in sample.metainfo else None
    resized = packed.shape if scale is None else np.multiply(shape, scale)
    if not flipped and np.abs(np.subtract(packed.shape, resized)).max() <= 1:
        return _resized(packed, shape)
    say(
        'where in the original image the annotated label maps lie cannot be known, as the pipeline '
        'changes more than their size: their fields are null'
    )
    return None


def _resized(label_map: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.int64)
        for new, old in zip(shape, label_map.shape, strict=True)
    )
    return label_map[np.ix_(rows, columns)]
