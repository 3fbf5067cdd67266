"""What one evaluation's ``meta.json`` says of the model and the data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mmengine.runner import Runner
from torch import nn

from ..core.adaptive import AdaptiveModule
from ..core.resnet_counterpart import ResNetCounterpart
from ..core.roi_layer import IterativeResLayer
from ..stats.records import SCHEMA_VERSION
from .image_compute import table_of
from .trace_collector import TraceCollector
from .unwrapping import unwrapped


def evaluation_meta(
    runner: Runner,
    dataset: Any,
    collector: TraceCollector,
    task: str | None,
    metrics: dict[str, Any] | None,
    weights: dict[str, Any],
) -> dict[str, Any]:
    """Content of ``meta.json``.

    Args:
        runner: Of the evaluation.
        dataset: The evaluated dataset.
        collector: Still holding the last batch's calls, whose input sizes the MAC tables use.
        task: ``'detection'``, ``'segmentation'``, ``'classification'``, or None where the data samples
            are of no known kind.
        metrics: The evaluator's score.
        weights: See :class:`~iterbackbone.mm.evaluated_weights.EvaluatedWeights`.
    """
    model = unwrapped(runner.model)
    return {
        'schema_version': SCHEMA_VERSION,
        'task': task,
        'model': type(model).__name__,
        'config': runner.cfg.filename,
        **weights,
        'classes': list(class_names(dataset)),
        **_palette(dataset),
        'parameters': parameter_counts(model),
        'resnet': asdict(counterpart(collector.modules)),
        **iterative_fields(collector),
        'dataset': {
            'type': type(dataset).__name__,
            'ann_file': getattr(dataset, 'ann_file', None),
            'num_images': _num_images(dataset),
        },
        'score': {key: _plain(value) for key, value in (metrics or {}).items()},
    }


def _plain(value: Any) -> Any:
    """A metric as JSON knows it: some are arrays, lists or tables."""
    value = value.tolist() if hasattr(value, 'tolist') else value
    return value if isinstance(value, (bool, int, float, str, list, dict)) else str(value)


def _num_images(dataset: Any) -> int:
    """Frames where the dataset counts videos, as mmdet's do."""
    return getattr(dataset, 'num_all_imgs', len(dataset))


def class_names(dataset: Any) -> tuple[str, ...]:
    """The dataset's classes by label; empty where it does not say."""
    return tuple((getattr(dataset, 'metainfo', None) or {}).get('classes') or ())


def _palette(dataset: Any) -> dict[str, Any]:
    """A colour (red, green, blue) of each class, where the dataset has them."""
    palette = (getattr(dataset, 'metainfo', None) or {}).get('palette')
    return {'palette': [[int(c) for c in colour] for colour in palette]} if palette else {}


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """Of the whole model and of its backbone."""
    backbone = getattr(model, 'backbone', None)
    counts = {'total': _count(model)}
    return counts if backbone is None else {**counts, 'backbone': _count(backbone)}


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def counterpart(modules: list[AdaptiveModule]) -> ResNetCounterpart:
    """The plain ResNet of the backbone, in a C4 detector with the RoI head's stage."""
    rois = [module for module in modules if isinstance(module, IterativeResLayer)]
    backbones = [module for module in modules if module not in rois]
    return ResNetCounterpart.of(*backbones[-1:], *rois)


def iterative_fields(collector: TraceCollector) -> dict[str, Any]:
    """Maximum iterations and a MAC table (at the last batch's input size) of each module."""
    sizes = {call.module: call.trace.input_size for call in collector.calls}
    fields: dict[str, Any] = {}
    for module in collector.modules:
        prefix = 'roi_' if isinstance(module, IterativeResLayer) else ''
        fields[f'{prefix}max_iterations'] = list(module.max_iterations)
        fields[f'{prefix}blocks_per_stage'] = [len(s.blocks) for s in module.iterative_stages()]
        fields[f'{prefix}budget'] = module.budget._asdict()
        fields[f'{prefix}mac_table'] = _table(module, sizes.get(module))
    return fields


def _table(module: AdaptiveModule, input_size: tuple[int, int] | None) -> dict[str, Any] | None:
    if input_size is None:
        return None
    table = table_of(module, input_size)
    return {**asdict(table), 'lowest': table.lowest, 'highest': table.highest}
