"""A model's parameters and MACs as plain data, for one image or the mean over a log's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any

from torch import nn
from tqdm import tqdm

from ...core.macs import Size
from ..evaluation.meta import count_parameters, counterpart, stage_fields
from .logged_compute import EvaluationCompute
from .model_macs import IterativeMacs, ModelMacs, count_macs

ROI_HEAD = 'roi_head'
BOUNDS = ('lowest', 'highest')


def image_summary(model: nn.Module, size: Size, num_proposals: int | None) -> dict[str, Any]:
    """Parameters and MACs of one image, with arguments as of :func:`.count_macs`.

    JSON-ready: ``parameters`` and ``macs`` (``lowest``, ``highest``), each with ``total`` and by child
    of the model, the stages of the ``iterative`` modules, the plain ``resnet`` of the same shape and
    the ``uncounted`` operators.
    """
    macs = count_macs(model, size, num_proposals)
    return {
        'image_size': list(size),
        'input_size': list(macs.input_size),
        'num_proposals': num_proposals,
        **_summary(model, macs, {bound: getattr(macs, bound) for bound in BOUNDS}, 1),
        'resnet': _resnet(macs, sum(module.resnet for module in macs.iterative)),
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
    counts = []
    sums: dict[str, Counter[str]] = {bound: Counter() for bound in (*BOUNDS, 'rest')}
    sizes = tqdm(log.calls.items(), unit='size', delay=2, disable=None)  # the most frequent first
    for size, calls in sizes:
        macs = count_macs(model, size, 1 if scaled else num_proposals)
        counts.append(macs)
        times = {ROI_HEAD: log.rois[size]} if scaled else {}
        for bound, total in sums.items():
            for child, n in getattr(macs, bound).items():
                total[child] += n * times.get(child, calls)
    summary = _summary(model, counts[0], sums, log.num_images)
    if own:
        _check_lowest(sums, log)
        summary['macs']['mean'] = _mean(counts, sums['rest'], log)
    return {
        'log': str(log.folder),
        'num_images': log.num_images,
        'input_sizes': [list(size) for size in log.calls],
        'num_proposals': sum(log.rois.values()) / log.num_images if scaled else num_proposals,
        'rois_as_logged': scaled,
        **summary,
        'resnet': _resnet(counts[0], log.resnet / log.num_images) if own else None,
    }


def _summary(
    model: nn.Module, commonest: ModelMacs, sums: Mapping[str, dict[str, int]], num_images: int
) -> dict[str, Any]:
    return {
        'parameters': count_parameters(model),
        'macs': {bound: _per_image(sums[bound], num_images) for bound in BOUNDS},
        'iterative': [_module(module) for module in commonest.iterative],
        'uncounted': dict(commonest.uncounted.most_common()),
    }


def _per_image(by_child: dict[str, int], num_images: int) -> dict[str, float]:
    """``total`` first; children without MACs are left out."""
    sums = {'total': sum(by_child.values()), **{child: n for child, n in by_child.items() if n}}
    return {child: n if num_images == 1 else n / num_images for child, n in sums.items()}


def _mean(
    counts: list[ModelMacs], rest: Counter[str], log: EvaluationCompute
) -> dict[str, float | None]:
    children = sorted({module.child for macs in counts for module in macs.iterative})
    macs = Counter(rest)
    macs[children[0]] += log.macs  # of all iterative modules, so right for a single child only
    mean: dict[str, float | None] = dict(_per_image(macs, log.num_images))
    return mean if len(children) == 1 else {**mean, **dict.fromkeys(children)}


def _check_lowest(sums: Mapping[str, Counter[str]], log: EvaluationCompute) -> None:
    """Raise unless the log's lower bound is the model's: both are exact."""
    lowest = (sums['lowest'] - sums['rest']).total()
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


def _resnet(model: ModelMacs, macs: float) -> dict[str, Any] | None:
    """The plain ResNet of the iterative modules' shape, all of them together."""
    kinds = list(dict.fromkeys(module.module for module in model.iterative))
    return {**asdict(counterpart(kinds)), 'macs': macs} if kinds else None
