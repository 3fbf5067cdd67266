"""Every number the report shows, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..stats.association import Association, associate, partial_association
from ..stats.binning import binned_means, binned_rates
from .evaluation import Column, Evaluation
from .measures import BOX_ERROR, COUNT, ERRORS, SIZE, Measure, in_words, present, sentences

TRAINED = ('checkpoint', 'epoch', 'iter')
META_FIELDS = ('task', 'model', 'config', *TRAINED, 'dataset', 'parameters', 'resnet', 'budget', 'time')
ITERATIONS = 'number of iterations'


def summarise(evaluation: Evaluation) -> dict[str, Any]:
    """All figures of one evaluation, as JSON knows them.

    MACs are means over the images: ``lowest`` with one iteration everywhere, ``mean`` as
    executed, ``highest`` with every iteration, ``resnet`` of the plain ResNet of the same
    shape. Errors are :attr:`~iterbackbone.report.evaluation.Evaluation.errors`.
    """
    total = evaluation.column('total_iterations')
    measures, scores = present(evaluation), evaluation.meta.get('score', {})
    related = relations(evaluation, measures)
    partial = _partial(evaluation, total) if {COUNT, SIZE} <= set(measures) else []
    return {
        'name': evaluation.name,
        'folder': str(evaluation.folder),
        **{field: evaluation.meta.get(field) for field in META_FIELDS},
        # the numbers among the evaluator's results; a bool is none
        'score': {k: float(v) for k, v in scores.items() if type(v) in (int, float)},
        'num_images': len(evaluation.records),
        'problems': [str(problem) for problem in evaluation.problems],
        'macs': _macs(evaluation),
        'rois': _rois(evaluation),
        'iterations': {
            'max': evaluation.stage_limits,
            'mean': evaluation.iterations.mean(axis=0).tolist(),
            'std': evaluation.iterations.std(axis=0).tolist(),
            'total': _spread(total),
            'per_stage': [_counts(stage) for stage in evaluation.iterations.T],
        },
        **related,
        'partial': partial,
        'sentences': sentences(related['associations'], partial),
        'error': _error(evaluation, total),
        'classes': _classes(evaluation, total),
    }


def _macs(evaluation: Evaluation) -> dict[str, Any]:
    macs, full = evaluation.column('macs'), evaluation.column('macs_full')
    fields = {'lowest': 'macs_lowest', 'mean': 'macs', 'highest': 'macs_full', 'resnet': 'macs_resnet'}
    means = {name: float(evaluation.column(field).mean()) for name, field in fields.items()}
    # A field that a line lacks has no mean to compare with.
    known = {name: mean if np.isfinite(mean) else None for name, mean in means.items()}
    return {
        **known,
        'observed': _spread(macs),
        'share_of_full': _share(macs, full),
        'share_of_resnet': means['mean'] / means['resnet'] if known['resnet'] else None,
    }


def _rois(evaluation: Evaluation) -> dict[str, Any] | None:
    """Of a C4 detector, whose RoI head iterates for every RoI; None for others."""
    counts, means = evaluation.column('num_rois'), evaluation.column('mean_roi_iterations')
    limits = evaluation.meta.get('roi_max_iterations')
    if not np.isfinite(counts).any() or not limits:
        return None
    known = np.isfinite(means) & (counts > 0)
    whole = float(np.average(means[known], weights=counts[known])) if known.any() else None
    budget = evaluation.meta.get('roi_budget')
    return {'per_image': _mean(counts), 'mean_iterations': whole, 'max': limits, 'budget': budget}


def relations(evaluation: Evaluation, measures: Sequence[Measure]) -> dict[str, Any]:
    """``associations`` and ``bins``: the iterations beside each measure."""
    total = evaluation.column('total_iterations')
    associations, bins = [], {}
    for measure in measures:
        x = evaluation.column(measure.field)
        found = associate(x, total, names=(measure.noun, ITERATIONS))
        named = {'field': measure.field, 'label': measure.label}
        associations.append({**named, **_correlation(found, measure.more)})
        bins[measure.field] = [asdict(b) for b in binned_means(x, total)]
    return {'associations': associations, 'bins': bins}


def _correlation(found: Association, more: str) -> dict[str, Any]:
    return {'spearman': asdict(found), 'words': in_words(found, more)}


def _partial(evaluation: Evaluation, total: Column) -> list[dict[str, Any]]:
    """The count at equal size, the size at equal count: in real images the two move together."""
    found = []
    for measure, given in ((COUNT, SIZE), (SIZE, COUNT)):
        names = (measure.noun, ITERATIONS, given.noun)
        x, z = evaluation.column(measure.field), evaluation.column(given.field)
        association = partial_association(x, total, z, names=names)
        label = f'{measure.noun}, given the {given.noun}'
        named = {'field': measure.field, 'given': given.field, 'label': label}
        more = f'{measure.more}, at an equal {given.noun},'
        found.append({**named, **_correlation(association, more)})
    return found


def _error(evaluation: Evaluation, total: Column) -> dict[str, Any] | None:
    task, errors = evaluation.meta.get('task'), evaluation.errors
    name, more = ERRORS.get(task, BOX_ERROR)
    binned = binned_rates if task == 'classification' else binned_means
    if not np.isfinite(errors).any():
        return None
    return {
        'name': name,
        'overall': _mean(errors),
        'num_images': int(np.isfinite(errors).sum()),
        'bins': [asdict(b) for b in binned(total, errors)],
        **_correlation(associate(errors, total, names=('error', ITERATIONS)), more),
    }


def _classes(evaluation: Evaluation, total: Column) -> list[dict[str, Any]]:
    """One row a class that occurs: the images that show it."""
    macs, full = evaluation.column('macs'), evaluation.column('macs_full')
    rows: dict[str, list[int]] = {}
    for i, record in enumerate(evaluation.records):
        for name in dict.fromkeys(record.get('class_names') or ()):  # labels may share one
            rows.setdefault(name, []).append(i)
    return [
        {
            'name': name,
            'num_images': len(images),
            'mean_iterations': _mean(total[images]),
            'share_of_full': _share(macs[images], full[images]),
            'mean_error': _mean(evaluation.errors[images]),
        }
        for name, images in sorted(rows.items())
    ]


def _counts(stage: Column) -> dict[str, list[float]]:
    """How many images took how many iterations; means over several calls are rounded, halves up."""
    values, images = np.unique(np.floor(stage + 0.5), return_counts=True)
    return {'iterations': values.astype(int).tolist(), 'images': images.tolist()}


def _spread(values: Column) -> dict[str, float]:
    return {
        'mean': float(values.mean()),
        'std': float(values.std()),
        'lowest': float(values.min()),
        'highest': float(values.max()),
    }


def _share(part: Column, whole: Column) -> float | None:
    return float(part.sum() / whole.sum()) if whole.sum() else None


def _mean(values: Column) -> float | None:
    """Mean of the finite values; None where there is none."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None
