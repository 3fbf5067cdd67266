"""The images of a batch that a model returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.structures import BaseDataElement


def samples_of(outputs: Any, batch: Any) -> list[Any]:
    """One data sample an image of the batch; of a tracker one a frame.

    Args:
        outputs: Of the model's ``val_step`` or ``test_step``.
        batch: Of the data loader, whose first field has an item for each image.

    Returns:
        None for each image where the model returns something else.
    """
    if isinstance(outputs, Sequence) and all(isinstance(o, BaseDataElement) for o in outputs):
        return [frame for sample in outputs for frame in sample.get('video_data_samples', [sample])]
    fields = list(batch.values()) if isinstance(batch, Mapping) else batch
    return [None] * len(fields[0])
