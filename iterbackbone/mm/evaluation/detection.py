"""Objects and predictions of one image, from mmdet's data sample."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from ...stats.objects import summarise_boxes
from .annotated import Annotated
from .frames import TOLERANCE, Frame, image_frame, original_size, scale_of, true_frames
from .sources import Source

UNLABELLED = -1
UNKNOWN_FRAME = (
    'where in the original image the boxes lie cannot be known: their sizes are null and they are left '
    'out of predictions.jsonl. The log follows Resize and RandomFlip where PackDetInputs keeps '
    'ori_shape, img_shape, scale_factor, flip and flip_direction'
)
KINDS = {'true': 'gt_instances', 'difficult': 'ignored_instances'}
FIELDS = ('num_objects', 'num_difficult', 'mean_object_area', 'mean_relative_area', 'class_names')


class Objects(NamedTuple):
    """Annotated boxes of one image, as the pipeline left them."""

    true: Annotated | None  # those to find; None where no annotations were loaded
    difficult: Annotated | None  # those that count neither way; likewise
    frames: list[Frame]  # in which they may lie, the best first; none where that is unknown

    def original(self, kind: str) -> Annotated | None:
        """``true`` or ``difficult`` in the original image's frame; None if there is no knowing."""
        packed: Annotated | None = getattr(self, kind)
        if packed is None or not self.frames:
            return None
        return packed._replace(boxes=self.frames[0].original(packed.boxes))


def is_detection(sample: Any) -> bool:
    """Whether a data sample holds predicted boxes or masks of objects."""
    return 'pred_instances' in sample and bool({'bboxes', 'masks'} & set(sample.pred_instances.keys()))


def annotated_objects(
    sample: Any, source: Source, say: Callable[[str], None], background: Collection[int] = ()
) -> Objects:
    """The objects of mmdet's ``DetDataSample``; "difficult" ones sit in ``ignored_instances``.

    Those with a ``background`` label are left out; ``say`` is told what cannot be known.
    """
    true, difficult = (_annotated(sample, key, say) for key in KINDS.values())
    if true is not None:
        kept = ~np.isin(true.labels, list(background))
        true = Annotated(true.boxes[kept], true.labels[kept])
    known = [part for part in (true, difficult) if part is not None]
    frames = [Frame()]
    if known:
        joined = Annotated(*(np.concatenate(values) for values in zip(*known, strict=True)))
        frames = true_frames(joined, sample, source, _tolerance(sample))
    if not frames:
        say(UNKNOWN_FRAME)
    return Objects(true, difficult, frames)


def object_fields(objects: Objects, sample: Any, classes: Sequence[str]) -> dict[str, Any]:
    """The object fields of :class:`~iterbackbone.log.schema.IterationRecord`."""
    if objects.true is None:
        return dict.fromkeys(FIELDS)
    labels = sorted(set(objects.true.labels.tolist()) - {UNLABELLED})
    size, true = original_size(sample.metainfo), objects.original('true')
    area, relative = None, None
    if size is not None and true is not None:
        _, area, relative = summarise_boxes(true.boxes, size[1], size[0])
    return {
        'num_objects': len(objects.true.boxes),
        'num_difficult': 0 if objects.difficult is None else len(objects.difficult.boxes),
        'mean_object_area': area,
        'mean_relative_area': relative,
        'class_names': [classes[n] if n < len(classes) else str(n) for n in labels],
    }


def prediction_fields(
    objects: Objects, sample: Any, source: Source, merged: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """True and predicted boxes (xyxy, pixels of the original image), labels and scores.

    What lies in an unknown frame is left out, and ``say`` is told. What test-time augmentation
    ``merged`` lies in the original frame.
    """
    frame = Frame() if merged else image_frame(sample, source, objects.frames)
    boxes = _predicted(sample.pred_instances)
    fields: dict[str, Any] = {}
    if frame is None:
        say(UNKNOWN_FRAME)
    elif boxes is not None:
        fields['predicted'] = {
            'boxes': frame.original(boxes).round(2).tolist(),
            'labels': _labels(sample.pred_instances).tolist(),
        }
        if 'scores' in sample.pred_instances:
            scores = sample.pred_instances.scores.double().cpu().numpy()
            fields['predicted']['scores'] = scores.round(5).tolist()
    for kind in KINDS:
        found = objects.original(kind)
        if found is not None:
            fields[kind] = {'boxes': found.boxes.round(2).tolist(), 'labels': found.labels.tolist()}
    return fields


def _annotated(sample: Any, key: str, say: Callable[[str], None]) -> Annotated | None:
    """Loaded boxes; mmdet packs empty instances where there were none to load."""
    if key not in sample:
        return None
    instances = sample.get(key)
    boxes = instances.bboxes if 'bboxes' in instances else _mask_boxes(instances)
    if boxes is None:
        return None
    array = _array(boxes)
    if array is None:
        say('annotated boxes that are not (n, 4), such as rotated ones, are not logged: they are null')
        return None
    return Annotated(array, _labels(instances))


def _tolerance(sample: Any) -> float:
    """Boxes of masks end at a pixel of the resized image."""
    instances = sample.get('gt_instances')
    if instances is None or 'bboxes' in instances:
        return TOLERANCE
    return 2 * TOLERANCE / min(1.0, *scale_of(sample.metainfo))


def _labels(instances: Any) -> np.ndarray:
    """The classes' indices; data sets may leave them out, of ignored regions most of all."""
    if 'labels' in instances:
        return instances.labels.cpu().numpy()
    return np.full(len(instances), UNLABELLED)


def _predicted(instances: Any) -> np.ndarray | None:
    """Boxes; those of the masks where a head such as SOLO's fills in boxes of zeros."""
    boxes = _array(instances.bboxes) if 'bboxes' in instances else None
    if boxes is None or (len(boxes) and not boxes.any()):
        masks = _mask_boxes(instances)
        return boxes if masks is None else _array(masks)
    return boxes


def _mask_boxes(instances: Any) -> Any:
    """Boxes around masks, (n, 4); None without masks."""
    if 'masks' not in instances:
        return None
    from mmdet.structures.mask import mask2bbox

    masks = instances.masks
    if hasattr(masks, 'get_bboxes'):
        return masks.get_bboxes('hbox')
    return mask2bbox(torch.as_tensor(masks))


def _array(boxes: Any) -> np.ndarray | None:
    array = getattr(boxes, 'tensor', boxes).double().cpu().numpy()  # NumPy has no bfloat16
    array = array if array.size else array.reshape(0, 4)
    return array if array.ndim == 2 and array.shape[1] == 4 else None
