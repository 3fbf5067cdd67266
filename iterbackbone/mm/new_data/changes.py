"""What the config changes in its base: data, classes, schedule."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .layouts import Dataset

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
max_epochs = {epochs}
train_cfg = dict(
    _delete_=True, type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval={interval}
)
optim_wrapper = dict(optimizer=dict(lr={rate:.2g}))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end={warmup}),
    dict(type='CosineAnnealingLR', end=max_epochs, convert_to_iter_based=True),
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
    """What is behind the line of the base.

    Args:
        cfg: The base's.
        data: The user's folder.
        files: Name of the folder with the split, beside the config.
        dataset: For task and classes.
        sizes: Number of pictures to train, validate and perhaps test with.
    """
    kind, suffix = TYPES[dataset.task]
    base, count = cfg.train_dataloader.batch_size, sizes['train']
    batch = min(base, count, max(2, count // 4))
    epochs = min(max(PICTURES // count, EPOCHS[0]), EPOCHS[1])
    steps = count // batch
    values = dict(
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
    text = (DATA + EVALUATORS[dataset.task].lstrip()).format(**values)
    for number, hook in enumerate(cfg.get('custom_hooks') or []):
        if hook['type'] == 'EMAHook' and hook.get('ema_type', PLAIN_AVERAGE) == PLAIN_AVERAGE:
            text += AVERAGE.format(number=number)
    return text
