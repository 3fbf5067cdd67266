"""A model's parameters and MACs as plain data, for one image or the mean over a log's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice
from typing import Any, NamedTuple

from torch import nn
from tqdm import tqdm

from ...core.macs import Size
from ..evaluation.meta import count_parameters, counterpart, stage_fields
from .logged_compute import EvaluationCompute
from .model_macs import IterativeMacs, ModelMacs, count_macs

ROI_HEAD = 'roi_head'


class Part(NamedTuple):
    """What a model costs at one input size, and how often."""

    macs: ModelMacs  # of one image
    calls: int = 1  # images or windows of that size
    rois: int | None = None  # of these, where macs has one proposal


def image_summary(model: nn.Module, size: Size, num_proposals: int | None) -> dict[str, Any]:
    """Parameters and MACs of one image, with arguments as of :func:`.count_macs`.

    JSON-ready: ``parameters`` and ``macs`` (``lowest``, ``highest``), each with ``total`` and by child
    of the model, the stages of the ``iterative`` modules, the plain ``resnet`` of the same shape and
    the ``uncounted`` operators.
    """
    part = Part(count_macs(model, size, num_proposals))
    summary = _summary(model, [part], 1)
    resnet = sum(module.resnet for module in part.macs.iterative)
    return {
        'image_size': list(size),
        'input_size': list(part.macs.input_size),
        'num_proposals': num_proposals,
        **summary,
        'resnet': _resnet(part.macs.iterative, resnet),
    }


def evaluation_summary(
    model: nn.Module, log: EvaluationCompute, num_proposals: int | None, own: bool
) -> dict[str, Any]:
    """As :func:`image_summary`, of the mean over the images of an evaluation.

    ``own`` is whether the evaluation is the model's, which then has ``macs.mean``; a baseline's is
    another model's. The mean of a child is None where the log does not tell several iterative modules
    apart. The RoIs are those of a C4 detector's log. ValueError: the evaluation's MACs are not those of
    the model, or its RoIs are those of boxes and masks together.
    """
    scaled = log.rois is not None and hasattr(model, ROI_HEAD)
    if scaled and getattr(model, 'with_mask', False):
        raise ValueError('log must not count the RoIs of a mask head: they are not told from the boxes')
    sizes = tqdm(log.calls.items(), unit='size', delay=2, disable=None)  # the most frequent first
    number = 1 if scaled else num_proposals
    parts = [
        Part(count_macs(model, size, number), calls, log.rois[size] if scaled else None)
        for size, calls in sizes
    ]
    summary = _summary(model, parts, log.num_images)
    if own:
        _check_lowest(parts, log)
        summary['macs']['mean'] = _mean(parts, log)
    return {
        'log': str(log.folder),
        'num_images': log.num_images,
        'input_sizes': [list(size) for size in log.calls],
        'num_proposals': sum(log.rois.values()) / log.num_images if scaled else num_proposals,
        'rois_as_logged': scaled,
        **summary,
        'resnet': _resnet(parts[0].macs.iterative, log.resnet / log.num_images) if own else None,
    }


def _summary(model: nn.Module, parts: list[Part], num_images: int) -> dict[str, Any]:
    bounds = {name: _weighted(parts, name) for name in ('lowest', 'highest')}
    commonest = parts[0].macs
    return {
        'parameters': count_parameters(model),
        'macs': {name: _per_image(macs, num_images) for name, macs in bounds.items()},
        'iterative': [_module(module) for module in commonest.iterative],
        'uncounted': dict(commonest.uncounted.most_common()),
    }


def _weighted(parts: list[Part], bound: str) -> Counter[str]:
    """Over all parts, by child."""
    total: Counter[str] = Counter()
    for macs, calls, rois in parts:
        for child, n in getattr(macs, bound).items():
            total[child] += n * (calls if rois is None or child != ROI_HEAD else rois)
    return total


def _per_image(by_child: dict[str, int], num_images: int) -> dict[str, float]:
    """``total`` first; children without MACs are left out."""
    sums = {'total': sum(by_child.values()), **{child: n for child, n in by_child.items() if n}}
    return {child: n if num_images == 1 else n / num_images for child, n in sums.items()}


def _mean(parts: list[Part], log: EvaluationCompute) -> dict[str, float | None]:
    macs = _weighted(parts, 'rest')
    children = sorted({module.child for part in parts for module in part.macs.iterative})
    macs[children[0]] += log.macs  # of all iterative modules, so right for a single child only
    mean: dict[str, float | None] = dict(_per_image(macs, log.num_images))
    return mean if len(children) == 1 else {**mean, **dict.fromkeys(children)}


def _check_lowest(parts: list[Part], log: EvaluationCompute) -> None:
    """Raise unless the log's lower bound is the model's: both are exact."""
    lowest = (_weighted(parts, 'lowest') - _weighted(parts, 'rest')).total()
    if lowest != log.macs_lowest:
        raise ValueError(
            f'log must be of the same model as the config, at one size of input an image: at one '
            f'iteration of each block its images cost {lowest} MACs, those of {log.folder} '
            f'{log.macs_lowest} (test-time augmentation cannot be counted)'
        )


def _module(macs: IterativeMacs) -> dict[str, Any]:
    """One iterative module at one input size; the MACs of its stages are those of one row."""
    module, table = macs.module, macs.table
    names = ('max_iterations', 'limits', 'per_iteration', 'per_score')
    columns = (table.max_iterations, macs.limits, table.per_iteration, table.per_score)
    blocks, stages = zip(*columns, strict=True), []
    pairs = zip(module.iterative_stages(), stage_fields(module), strict=True)
    for number, (stage, field) in enumerate(pairs, module.first_stage):
        values = map(list, zip(*islice(blocks, len(stage.blocks)), strict=True))
        own = dict(zip(names, values, strict=True))
        stages.append({'stage': number, 'receptive_field': field, **own})
    return {
        'name': macs.name,
        'type': type(module).__name__,
        'input_size': list(table.input_size),
        'rows': macs.rows,
        'fixed': table.fixed,
        'stages': stages,
    }


def _resnet(modules: Iterable[IterativeMacs], macs: float) -> dict[str, Any] | None:
    """The plain ResNet of the iterative modules' shape, all of them together."""
    kinds = list(dict.fromkeys(module.module for module in modules))
    return {**asdict(counterpart(kinds)), 'macs': macs} if kinds else None
