"""Objects and predictions of one image, from mmdet's data sample."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.spatial import KDTree

from ...stats.objects import summarise_boxes
from .sources import Source

Instances = list[dict[str, Any]] | None  # of a data set
UNLABELLED = -1
TOLERANCE = 1.5  # pixels, by which boxes may differ from the data set's
UNKNOWN_FRAME = (
    'where in the original image the boxes lie cannot be known: their sizes are null and they are left '
    'out of predictions.jsonl. The log takes the bbox of the instances of a data set of mmengine, and '
    'follows Resize and RandomFlip where PackDetInputs keeps ori_shape, img_shape, scale_factor, flip '
    'and flip_direction'
)
NOT_UNDONE = ('Affine', 'Crop', 'Expand', 'MixUp', 'Mosaic', 'Rotate', 'Shear', 'Shift', 'Translate')
KINDS = {'true': 'gt_instances', 'difficult': 'ignored_instances'}
FIELDS = ('num_objects', 'num_difficult', 'mean_object_area', 'mean_relative_area', 'class_names')


class Objects(NamedTuple):
    """Annotated objects of one kind."""

    boxes: np.ndarray | None  # (n, 4), xyxy, in the original image; None where that is unknown
    labels: np.ndarray  # (n,), -1 where there is none


def is_detection(sample: Any) -> bool:
    """Whether a data sample holds predicted boxes or masks of objects."""
    return 'pred_instances' in sample and bool({'bboxes', 'masks'} & set(sample.pred_instances.keys()))


def original_size(info: dict[str, Any]) -> tuple[int, int] | None:
    """(width, height) of the image as it was read; None where the metainfo does not say."""
    shape = info.get('ori_shape')
    return None if shape is None else (int(shape[1]), int(shape[0]))


def instances_of(source: Source) -> Instances:
    """Those of the data set, before any transform; None where they lack boxes or numbers of classes."""
    items = (source.info or {}).get('instances')
    if not isinstance(items, list) or any(np.asarray(item.get('bbox')).size != 4 for item in items):
        return None
    # A loader of one's own may look names up.
    return None if any(isinstance(item.get('bbox_label'), str) for item in items) else items


def flip_of(sample: Any, source: Source, items: Instances, merged: bool = False) -> str | None:
    """How the image was mirrored: '', 'horizontal', 'vertical' or 'diagonal' (both).

    None where that is unknown, or where more was changed than size and direction. The ``items`` are
    as of :func:`instances_of`. Test-time augmentation has mirrored ``merged`` predictions back.
    """
    info = sample.metainfo
    hidden = not source.transforms and items is None and 'flip' not in info  # a foreign data set's
    if hidden or _is_cropped(info) or source.named(*NOT_UNDONE):
        return None
    if merged:
        return ''
    flip = '' if 'flip' in info or not source.named('Flip') else None
    if info.get('flip'):
        flip = None if original_size(info) is None else info.get('flip_direction')
    return None if flip is None or _is_moved(sample, source, items, flip) else flip


def _is_cropped(info: dict[str, Any]) -> bool:
    """Whether the network's image is smaller than the original one resized."""
    size, shape = original_size(info), info.get('img_shape')
    if size is None or shape is None:
        return False
    return bool((np.array([shape[1], shape[0]]) < size * _scale(info) - 1).any())


def _scale(info: dict[str, Any]) -> np.ndarray:
    """(width, height) of the network's image over those of the original one."""
    factor = info.get('scale_factor')  # a tuple, an array or a number
    return np.ones(2) * (1 if factor is None else factor)


def _is_moved(sample: Any, source: Source, items: Instances, flip: str) -> bool:
    """Whether loaded boxes are not the data set's own, resized and mirrored at most.

    They may have been loaded before or after either.
    """
    loaded = [_array(sample.get(key, {}).get('bboxes')) for key in KINDS.values()]
    packed = [boxes for boxes in loaded if boxes is not None]
    if items is None or not packed:
        return False
    own, boxes = _boxes(items), np.concatenate(packed)
    if not len(own) or not len(boxes):  # a filter may have left none, where nothing unknown moved them
        known = all(type(each).__module__.startswith(('mmcv.', 'mmdet.')) for each in source.transforms)
        return len(own) != len(boxes) and (len(boxes) > 0 or not (known and source.named('Filter')))
    scale, limits = _scale(sample.metainfo), original_size(sample.metainfo) or (np.inf, np.inf)

    def points(boxes: np.ndarray) -> np.ndarray:
        return np.nan_to_num(np.clip(boxes, 0, np.tile(limits, 2)))  # trees take no NaN

    found = [boxes, boxes / np.tile(scale, 2)]
    found += [mirrored(found[0], flip, np.multiply(limits, scale)), mirrored(found[1], flip, limits)]
    distances = [KDTree(points(own)).query(points(each), p=np.inf)[0] for each in found]
    return min(each.max() for each in distances) > TOLERANCE


def annotated_objects(sample: Any, items: Instances, background: Collection[int]) -> dict[str, Objects]:
    """The objects of mmdet's ``DetDataSample`` by kind, 'true' or 'difficult', if any were loaded.

    Their boxes are those of the ``items``; None for these where the boxes cannot be known. True ones
    with a ``background`` label are left out.
    """
    found = {}
    for kind, key in KINDS.items():
        packed = sample.get(key, ())
        if 'bboxes' not in packed and 'masks' not in packed:
            continue  # mmdet packs empty instances where there were none to load
        difficult = kind == 'difficult'
        objects = Objects(None, _labels(packed)) if items is None else _own(items, difficult)
        if kind == 'true':
            kept = ~np.isin(objects.labels, list(background))
            objects = Objects(*(None if part is None else part[kept] for part in objects))
        found[kind] = objects
    return found


def object_fields(
    objects: Mapping[str, Objects], sample: Any, classes: Sequence[str]
) -> dict[str, Any]:
    """The object fields of a record."""
    true, difficult = map(objects.get, KINDS)
    if true is None:
        return dict.fromkeys(FIELDS)
    labels = sorted(set(true.labels.tolist()) - {UNLABELLED})
    size, area, relative = original_size(sample.metainfo), None, None
    if size is not None and true.boxes is not None:
        _, area, relative = summarise_boxes(true.boxes, size[1], size[0])
    return {
        'num_objects': len(true.labels),
        'num_difficult': 0 if difficult is None else len(difficult.labels),
        'mean_object_area': area,
        'mean_relative_area': relative,
        'class_names': [classes[n] if n < len(classes) else str(n) for n in labels],
    }


def prediction_fields(objects: Mapping[str, Objects], sample: Any, flip: str | None) -> dict[str, Any]:
    """True and predicted boxes, labels and scores.

    Predicted boxes, which the model resized back, are mirrored back. Those of an unknown frame are left
    out.
    """
    boxes, fields = _predicted(sample.pred_instances), {}
    if boxes is not None and flip is not None:
        boxes = mirrored(boxes, flip, original_size(sample.metainfo))
        fields['predicted'] = _lists(Objects(boxes, _labels(sample.pred_instances)))
        if 'scores' in sample.pred_instances:
            scores = sample.pred_instances.scores.double().cpu().numpy()
            fields['predicted']['scores'] = scores.round(5).tolist()
    known = {kind: each for kind, each in objects.items() if each.boxes is not None}
    return fields | {kind: _lists(each) for kind, each in known.items()}


def mirrored(boxes: np.ndarray, flip: str, size: Any) -> np.ndarray:
    """Boxes (n, 4), xyxy, in an image of size (width, height), mirrored; twice is not at all.

    Without a ``flip`` the size may be unknown.
    """
    boxes = boxes.copy()
    for axis, direction in enumerate(('horizontal', 'vertical')):
        if flip in (direction, 'diagonal'):
            boxes[:, [axis, axis + 2]] = size[axis] - boxes[:, [axis + 2, axis]]
    return boxes


def _lists(objects: Objects) -> dict[str, Any]:
    return {'boxes': objects.boxes.round(2).tolist(), 'labels': objects.labels.tolist()}


def _own(items: list[dict[str, Any]], difficult: bool) -> Objects:
    items = [item for item in items if bool(item.get('ignore_flag')) == difficult]
    labels = [UNLABELLED if item.get('bbox_label') is None else item['bbox_label'] for item in items]
    return Objects(_boxes(items), np.array(labels, dtype=int))


def _boxes(items: list[dict[str, Any]]) -> np.ndarray:
    return np.array([item['bbox'] for item in items], dtype=np.float64).reshape(-1, 4)


def _labels(instances: Any) -> np.ndarray:
    """The classes' indices; data sets may leave them out, of ignored regions most of all."""
    if 'labels' in instances:
        return instances.labels.cpu().numpy()
    return np.full(len(instances), UNLABELLED)


def _predicted(instances: Any) -> np.ndarray | None:
    """Boxes (n, 4); those of the masks where a head such as SOLO's fills in boxes of zeros."""
    boxes = _array(instances.get('bboxes'))
    if 'masks' in instances and (boxes is None or (len(boxes) and not boxes.any())):
        from mmdet.structures.mask import mask2bbox

        return _array(mask2bbox(torch.as_tensor(instances.masks)))
    return boxes


def _array(boxes: Any) -> np.ndarray | None:
    """(n, 4); None for other boxes, such as rotated ones."""
    if boxes is None:
        return None
    array = getattr(boxes, 'tensor', boxes).double().cpu().numpy()  # NumPy has no bfloat16
    array = array if array.size else array.reshape(0, 4)
    return array if array.ndim == 2 and array.shape[1] == 4 else None
