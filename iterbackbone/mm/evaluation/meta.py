"""What one evaluation's ``meta.json`` says of the model and the data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

import numpy as np
from mmengine.runner import Runner
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel

from ...core.adaptive import AdaptiveModule
from ...core.macs import Size
from ...core.receptive_field import receptive_fields
from ...core.resnet_counterpart import ResNetCounterpart
from ...log.meta_schema import SCHEMA_VERSION
from ..traces import counts_of, unwrapped
from .sources import parts

MOST_LETTERS = 4096  # of a text in the schema


def evaluation_meta(
    runner: Runner,
    dataset: Any,
    names: Mapping[AdaptiveModule, str],
    sizes: Mapping[AdaptiveModule, Size],
) -> dict[str, Any]:
    """Model and data in ``meta.json``.

    The ``names`` are modules' paths in the model, ``sizes`` (H, W) of the last input of those that
    were called. Of backbones, or RoI layers, of which none was called, all are described.
    """
    kinds = {module.of_regions for module in sizes}
    modules = {m: name for m, name in names.items() if m in sizes or m.of_regions not in kinds}
    return {
        'schema_version': SCHEMA_VERSION,
        'model': type(unwrapped(runner.model)).__name__,
        'config': runner.cfg.filename,
        'classes': list(classes_of(dataset)),
        'palette': palette_of(metainfos(dataset)[0].get('palette')) or None,
        'parameters': parameter_counts(runner.model),
        'resnet': asdict(counterpart(modules)),
        **iterative_fields(modules, sizes),
        'dataset': {
            'type': type(dataset).__name__,
            'ann_file': str(getattr(dataset, 'ann_file', None) or '') or None,  # some have a list
            # Frames where the dataset counts videos, as mmdet's do.
            'num_images': getattr(dataset, 'num_all_imgs', len(dataset)),
            'crowds': has_crowds(dataset),
        },
    }


def has_crowds(dataset: Any) -> bool:
    """Whether all parts of a data set are COCO's, or read its annotations."""
    kinds = [type(part).__mro__ for part in parts(dataset)]
    return all(any(base.__name__ == 'CocoDataset' for base in bases) for bases in kinds)


def plain_metric(value: Any) -> Any:
    """As the schema knows it: a number, a list of finite ones, or the text of what it is."""
    value = plain(value)
    if isinstance(value, (list, tuple)):
        value = list(map(plain, value))
        if all(isinstance(each, (int, float)) and math.isfinite(each) for each in value):
            return value
    return value if isinstance(value, (bool, int, float, str)) else str(value)[:MOST_LETTERS]


def plain(value: Any) -> Any:
    """NumPy's and torch's numbers as Python's, their arrays as lists."""
    return value.tolist() if hasattr(value, 'tolist') else value


def palette_of(palette: Any) -> list[list[int]]:
    """Colours of the classes, [] where there is no list of them ('random', one flat list)."""
    listed = () if palette is None or isinstance(palette, str) else palette
    return [list(map(int, rgb)) for rgb in listed if np.size(rgb) == 3]


def class_names(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Of a dataset's metainfo, by label."""
    names = said.get('classes')
    return () if names is None else tuple(map(str, names))


def classes_of(dataset: Any) -> tuple[str, ...]:
    """By label; where mmdet's ConcatDataset has parts of different classes, all names of a label."""
    labels = zip_longest(*map(class_names, metainfos(dataset)))
    return tuple(' / '.join(dict.fromkeys(filter(None, names))) for names in labels)


def metainfos(dataset: Any) -> list[dict[str, Any]]:
    """What the dataset says of itself; what each part says where mmdet's ConcatDataset has several."""
    said = getattr(dataset, 'metainfo', None) or {}
    return [m for part in parts(dataset) for m in metainfos(part)] if isinstance(said, list) else [said]


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """Of the whole model and of its backbone; none under FSDP, where a process holds its share."""
    sharded = isinstance(model, FullyShardedDataParallel)
    counts = {} if sharded else count_parameters(unwrapped(model))
    return {k: n for k, n in counts.items() if k in ('total', 'backbone')}


def count_parameters(model: nn.Module) -> dict[str, int]:
    """``total`` and by child; parameters that children share count in each of them."""
    parts = [('total', model), *model.named_children()]
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in parts}
    return {name: n for name, n in counts.items() if n or name == 'total'}


def counterpart(modules: Iterable[AdaptiveModule]) -> ResNetCounterpart:
    """The plain ResNet of all backbones, in a C4 detector with the RoI head's stage."""
    modules = list(modules)
    rois = [module for module in modules if module.of_regions]
    backbones = [module for module in modules if module not in rois]
    plain = [ResNetCounterpart.of(backbone) for backbone in backbones[:-1]]
    plain.append(ResNetCounterpart.of(*backbones[-1:], *rois))
    return ResNetCounterpart(' + '.join(p.name for p in plain), sum(p.parameters for p in plain))


def iterative_fields(
    modules: Mapping[AdaptiveModule, str], sizes: Mapping[AdaptiveModule, Size]
) -> dict[str, Any]:
    """Maximum iterations, budget and, at its input size (H, W), MAC table of iterative modules.

    As ``modules`` by path, and without it of the backbone, of the RoI layer behind ``roi_``. Of several
    backbones, or RoI layers, lists are one behind the other, the rest is None.
    """
    entries = {name: _entry(module, sizes.get(module)) for module, name in modules.items()}
    fields: dict[str, Any] = {'modules': entries}
    for prefix, is_roi in (('', False), ('roi_', True)):
        alike = [entries[n] for m, n in modules.items() if m.of_regions == is_roi]
        for field in alike[0] if alike else ():
            fields[prefix + field] = _joined([entry[field] for entry in alike])
    return fields


def _entry(module: AdaptiveModule, size: Size | None) -> dict[str, Any]:
    macs = None
    if size is not None:
        table, _ = counts_of(module, size)
        macs = {**asdict(table), 'lowest': table.lowest, 'highest': table.highest}
    return {
        'max_iterations': list(module.max_iterations),
        'blocks_per_stage': [len(stage.blocks) for stage in module.iterative_stages()],
        'budget': module.budget._asdict(),
        'receptive_field': stage_fields(module),
        'mac_table': macs,
    }


def stage_fields(module: AdaptiveModule) -> list[list[int]]:
    """Receptive field of each stage at one iteration and at all, in pixels."""
    ones = receptive_fields(module, [1] * len(module.iterative_stages()))
    return [list(pair) for pair in zip(ones, receptive_fields(module), strict=True)]


def _joined(values: list[Any]) -> Any:
    if len(values) == 1:
        return values[0]
    return [item for value in values for item in value] if isinstance(values[0], list) else None
