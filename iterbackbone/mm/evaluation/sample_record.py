"""What one image's data sample says, whatever the task."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel
from mmengine.structures import BaseDataElement
from torch import nn

from ...log.schema import UNLABELLED
from ...stats.objects import is_background
from ..traces import unwrapped
from . import classification, detection, segmentation
from .meta import class_names, classes_of, metainfos, plain
from .sources import Index, Source, parts

NAMES = {'img_path', 'img_id', 'ori_shape'}
# Said of labels.
NO_OBJECT = re.compile(r'_*(bg|background|ignore|void)(_?(class|cls|label))?(_?(ind|index|idx|id))?s?')


class SampleRecord(NamedTuple):
    """One image's part of the log, without what it cost."""

    task: str | None  # 'detection', 'segmentation', 'classification'
    record: dict[str, Any]  # fields of an IterationRecord
    prediction: dict[str, Any]  # line of predictions.jsonl, without the names of pngs
    pngs: dict[str, np.ndarray]  # files, see PngFiles


class SampleReader:
    """Describes a data set's samples behind the model's prediction, as the runner holds the model.

    What cannot be known is null, and said once by the current logger.
    """

    def __init__(self, dataset: Any, model: nn.Module, evaluator: Any = None) -> None:
        self._dataset, self._model = dataset, unwrapped(model)
        self._classes = classes_of(dataset)
        self._merged = any(isinstance(part, BaseTTAModel) for part in model.modules())
        said = metainfos(dataset)
        # Names by label, and labels that are no objects; of parts that differ in each.
        self._labels = self._classes, background_labels(self._classes, said[0], self._model)
        self._of_parts = {}
        for part, own in zip(parts(dataset), said, strict=True) if len(said) > 1 else ():
            classes = class_names(own)
            self._of_parts[id(part)] = classes, background_labels(classes, own, self._model)
        self._ignored = ignore_index(evaluator, self._model)
        self._say = cache(lambda text: print_log(text, 'current', logging.WARNING))  # each once

    def __call__(self, sample: Any, index: Index | None = None) -> SampleRecord:
        """Of an image of mmdet, mmseg or mmpretrain; None is a sample that says nothing."""
        sample = BaseDataElement() if sample is None else sample
        info = _metainfo(sample)
        source = Source.of(self._dataset, info, index)
        classes, background = self._of_parts.get(id(source.part), self._labels)
        found, pngs = {}, {}
        items = detection.instances_of(source)
        flip = detection.flip_of(sample, source, items, self._merged)
        objects = detection.annotated_objects(sample, None if flip is None else items, background)
        fields = detection.object_fields(objects, sample, classes)
        task = self._task(sample)
        moved = flip is None and task == 'detection'
        if moved or any(each.boxes is None for each in objects.values()):
            self._say(detection.UNKNOWN_FRAME)
        if task == 'segmentation':
            true = segmentation.true_label_map(sample, source, self._say)
            pngs = segmentation.label_maps(sample, true, self._ignored, len(self._classes))
            fields = segmentation.label_map_fields(pngs, classes, background)
        elif task == 'classification':
            image = classification.picture(sample, source.info)
            pngs = {} if image is None else {'picture': image}
            fields |= classification.class_fields(sample, classes)
        elif task == 'detection':
            found = detection.prediction_fields(objects, sample, flip)
        else:
            self._say(
                f'{type(self._model).__name__} predicts nothing that the iteration log knows: it holds '
                'iterations and MACs, and annotated objects where there are any; the rest is null'
            )
        record = {**identity(info, task, index, pngs.get('picture')), **fields}
        prediction = {key: record[key] for key in ('img_id', 'img_path')}
        if record['img_path'] and source.ignores_exif():
            prediction['exif_ignored'] = True
        return SampleRecord(task, record, {**prediction, **found}, pngs)

    def _task(self, sample: Any) -> str | None:
        if segmentation.is_segmentation(sample):
            return 'segmentation'
        if classification.is_classification(sample, self._model):
            return 'classification'
        # mmdet's RPN proposes boxes without classes.
        proposes = any(base.__name__ == 'RPN' for base in type(self._model).__mro__)
        return 'detection' if detection.is_detection(sample) and not proposes else None


def _metainfo(sample: Any) -> dict[str, Any]:
    """The sample's own, or that of the first part that knows its image, as multi-task samples do."""
    said = [part for part in (sample, *sample.values()) if isinstance(part, BaseDataElement)]
    return next((each.metainfo for each in said if NAMES & each.metainfo.keys()), sample.metainfo)


def identity(
    info: Mapping[str, Any], task: str | None, index: Index | None, image: np.ndarray | None
) -> dict[str, Any]:
    """Of a sample's metainfo, or of an ``image`` without a file."""
    width, height = detection.original_size(info) or (None, None)
    if image is not None:
        height, width = image.shape[:2]
    path = info.get('img_path')
    path = path if isinstance(path, (str, Path)) else None  # pairs of images have a list
    # mmseg and mmpretrain number no images. Only segmentors' files have names of their own.
    name: Any = index
    if path:
        file = Path(path)
        name = file.stem if task == 'segmentation' else f'{file.parent.name}/{file.stem}'
    return {'img_id': info.get('img_id', name), 'img_path': path, 'height': height, 'width': width}


def background_labels(
    classes: Sequence[str], metainfo: Mapping[str, Any], model: nn.Module
) -> set[int]:
    """Labels that are no objects, by the classes' names, the data set's metainfo and the heads.

    Entries such as ``background_index=3``, ``background='sky'`` or ``void_labels=[2, 9]`` count.
    """
    found = {label for label, name in enumerate(classes) if is_background(name)}
    said = [metainfo, *(vars(head) for head in heads(model))]
    values = [plain(v) for each in said for key, v in each.items() if NO_OBJECT.fullmatch(key)]
    listed = [value if isinstance(value, (list, tuple, set)) else [value] for value in values]
    for item in map(plain, chain(*listed)):
        label = classes.index(item) if item in classes else item
        if type(label) is int and 0 <= label < len(classes):
            found.add(label)
    return found


def ignore_index(evaluator: Any, model: nn.Module) -> int:
    """The index of pixels without a label: the metric's, so that scores agree, else the head's."""
    for part in (*getattr(evaluator, 'metrics', ()), *heads(model)):
        index = plain(getattr(part, 'ignore_index', None))
        if type(index) is int:
            return index
    return UNLABELLED


def heads(model: nn.Module) -> Iterator[nn.Module]:
    """The model's heads, those that others only help to train left out."""
    for name, part in model.named_modules():
        if type(part).__name__.endswith('Head') and not name.startswith('auxiliary'):
            yield part
