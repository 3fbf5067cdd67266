"""What is written: the split, its files, and what the config changes in its base."""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...files import write_together
from .folder import Picture
from .layouts import Dataset

Parts = dict[str, list[Picture]]  # to train, validate and perhaps test with
SEED, HELD_OUT = 0, 5  # every fifth picture validates where the folder has no splits
PICTURES, EPOCHS = 34_000, (10, 40)  # shown in a training: 17 epochs of 2,000
TYPES = {
    'detection': ("'CocoDataset', data_prefix=dict(img='')", 'json'),
    'classification': ("'CustomDataset'", 'txt'),
}
DATA = """
classes = {classes!r}
model = {model!r}
files = '{{{{ fileDirname }}}}/{files}/'
data = dict(_delete_=True, data_root={root!r}, metainfo=dict(classes=classes), type={type})
train_dataloader = dict(
    batch_size={batch},
    sampler=dict(_delete_=True, type='DefaultSampler', shuffle=True),
    dataset=dict(
        ann_file=files + 'train.{suffix}',
        filter_cfg=dict(filter_empty_gt=True),
        pipeline={{{{_base_.train_pipeline}}}},
        **data,
    ),
)
data.update(test_mode=True, pipeline={{{{_base_.test_pipeline}}}})
val_dataloader = dict(dataset=dict(ann_file=files + 'val.{suffix}', **data))
test_dataloader = dict(dataset=dict(ann_file=files + '{test}.{suffix}', **data))
train_cfg = dict(
    _delete_=True, type='EpochBasedTrainLoop', max_epochs={epochs}, val_interval={interval}
)
optim_wrapper = dict(optimizer=dict(lr={rate:.2g}))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end={warmup}),
    dict(type='CosineAnnealingLR', convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval={log_interval}))
"""
EVALUATORS = {
    'detection': """
val_evaluator = dict(_delete_=True, type='CocoMetric', ann_file=files + 'val.json', metric='bbox')
test_evaluator = dict(val_evaluator, ann_file=files + '{test}.json')
""",
    'classification': """
data_preprocessor = dict(num_classes=len(classes))
val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
""",
}
PLAIN_AVERAGE = 'ExponentialMovingAverage'  # at a fixed momentum
AVERAGE = """custom_hooks = _base_.custom_hooks
custom_hooks[{number}].update(ema_type='MomentumAnnealingEMA', gamma=10)  # forgets its start sooner
"""


def split(dataset: Dataset, problems: Iterable[str] = ()) -> tuple[Parts, bool]:
    """Pictures by part; whether the split is made here. ValueError, with ``problems``, for too few."""
    parts: Parts = {'train': [], 'val': [], 'test': []}
    for picture in dataset.pictures:
        parts[picture.split or 'train'].append(picture)
    parts['val'] = parts['val'] or parts.pop('test')
    made = not (parts['train'] and parts['val'])
    if made:
        pool = sorted(dataset.pictures, key=lambda picture: str(picture.file))
        random.Random(SEED).shuffle(pool)
        if dataset.task == 'classification':
            pool.sort(key=lambda picture: picture.boxes[0].name)  # every fifth of each class
        val = range(len(pool))[HELD_OUT - 1 :: HELD_OUT] or [len(pool) - 1]
        train = [each for number, each in enumerate(pool) if number not in val]
        parts = {'train': train, 'val': [pool[number] for number in val if pool]}
    if not any(picture.boxes for picture in parts['train']):
        raise ValueError(
            '--data has too little that can be used: no training picture with a box or class'
            + ''.join(f'; {line.strip()}' for line in problems)
        )
    return {name: pictures for name, pictures in parts.items() if pictures}, made


def write(target: Path, folder: Path, dataset: Dataset, parts: Parts, problems: str) -> None:
    """COCO's JSON of each part for CocoDataset, or a list for mmpretrain's CustomDataset."""
    contents = {'problems.txt': problems.encode()}
    numbers = {name: number for number, name in enumerate(dataset.classes)}
    for name, pictures in parts.items():
        files = [os.path.relpath(picture.file, folder) for picture in pictures]
        if dataset.task == 'detection':
            text, suffix = json.dumps(_coco(pictures, files, numbers)), 'json'
        else:
            labels = (numbers[picture.boxes[0].name] for picture in pictures)
            text, suffix = ''.join(f'{f} {n}\n' for f, n in zip(files, labels, strict=True)), 'txt'
        contents[f'{name}.{suffix}'] = text.encode()
    write_together(target, contents)


def _coco(pictures: list[Picture], files: list[str], numbers: dict[str, int]) -> dict:
    images, annotations = [], []
    for image, (picture, file) in enumerate(zip(pictures, files, strict=True)):
        images.append(dict(id=image, file_name=file, width=picture.size[0], height=picture.size[1]))
        for name, xywh, ignored in picture.boxes:
            what = dict(id=len(annotations) + 1, image_id=image, category_id=numbers[name])
            where = dict(bbox=xywh, area=xywh[2] * xywh[3], iscrowd=int(ignored))
            annotations.append(what | where)
    categories = [dict(id=number, name=name) for name, number in numbers.items()]
    return dict(info={}, images=images, annotations=annotations, categories=categories)


def with_classes(part: Any, count: int) -> Any:
    """What changes in a model for ``count`` classes: a dict's changed keys, a list whole."""
    if isinstance(part, list):
        new = [with_classes(each, count) for each in part]
        return [{**a, **(b or {})} for a, b in zip(part, new, strict=True)] if any(new) else None
    if not isinstance(part, dict):
        return None
    changed = {key: with_classes(each, count) for key, each in part.items()}
    changed |= {'num_classes': count} if 'num_classes' in part else {}
    return {key: each for key, each in changed.items() if each is not None} or None


def text_of_changes(
    cfg: Config, data: Path, files: str, dataset: Dataset, sizes: dict[str, int]
) -> str:
    """The text behind the line of the base ``cfg``; ``sizes`` counts the pictures of each part."""
    base, count = cfg.train_dataloader.batch_size, sizes['train']
    batch = min(base, count, max(2, count // 4))
    epochs = min(max(PICTURES // count, EPOCHS[0]), EPOCHS[1])
    steps = count // batch
    kind, suffix = TYPES[dataset.task]
    text = (DATA + EVALUATORS[dataset.task].lstrip()).format(
        classes=tuple(dataset.classes),
        model=with_classes(cfg.model.to_dict(), len(dataset.classes)) or {},
        files=files,
        root=str(data.absolute()),
        type=kind,
        suffix=suffix,
        test='test' if 'test' in sizes else 'val',
        batch=batch,
        epochs=epochs,
        interval=-(-epochs // 3),
        rate=cfg.optim_wrapper.optimizer.lr * math.sqrt(batch / base),
        warmup=min(100, epochs * steps // 10),
        log_interval=min(20, steps),
    )
    for number, hook in enumerate(cfg.get('custom_hooks') or []):
        if hook['type'] == 'EMAHook' and hook.get('ema_type', PLAIN_AVERAGE) == PLAIN_AVERAGE:
            text += AVERAGE.format(number=number)
    return text
