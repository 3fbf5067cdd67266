"""Several evaluations of the same images: side by side, with their depths and sources.

Shape legend: r runs (evaluations), n images, b blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..log.schema import IterationRecord
from ..stats.run_scores import Array, Index
from .evaluation import Evaluation

Depth = tuple[float, ...]


def aligned(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """The evaluations with the images in the first one's order.

    ValueError where an evaluation repeats an image, or two are of other images or networks.
    """
    key, first = _key(evaluations), evaluations[0]
    places = [{name: i for i, name in enumerate(_names(each, key))} for each in evaluations]
    for evaluation, found in zip(evaluations, places, strict=True):
        if repeated := len(evaluation.records) - len(found):
            raise ValueError(
                f'{evaluation.folder} must hold each image once: {repeated} records repeat one'
            )
        if evaluation.meta['max_iterations'] != first.meta['max_iterations']:
            raise ValueError(
                f'{evaluation.folder} is of another network than {first.folder}: max_iterations '
                f'{evaluation.meta["max_iterations"]} and {first.meta["max_iterations"]}'
            )
        if differing := places[0].keys() ^ found.keys():
            raise ValueError(
                f'{evaluation.folder} and {first.folder} must be of the same images; only one of '
                f'them has {len(differing)} images, such as {min(differing)!r}'
            )
    return [
        evaluation.take([found[name] for name in places[0]])
        for evaluation, found in zip(evaluations, places, strict=True)
    ]


def _key(evaluations: Sequence[Evaluation]) -> tuple[str, ...]:
    """The fields that tell images apart: ``img_path`` where ids repeat, else both."""
    for key in (('img_id',), ('img_path',)):
        names = [_names(evaluation, key) for evaluation in evaluations]
        if all(len(set(each)) == len(each) for each in names):
            return key
    return 'img_id', 'img_path'


def _names(evaluation: Evaluation, key: Sequence[str]) -> list[str]:
    return [' '.join(str(record.get(field)) for field in key) for record in evaluation.records]


def sources(runs: Sequence[Evaluation], groups: Mapping[str, Any] | None) -> NDArray:
    """(n,) the source of each image in ``groups``, by its id or path, or each its own."""
    if groups is None:
        return np.arange(len(runs[0].records))
    key = _key(runs)
    names = _names(runs[0], key)
    missing = [name for name in names if name not in groups]
    if missing:
        raise ValueError(
            f'groups must name every {" and ".join(key)}: {len(missing)} lack, such as {missing[0]!r}'
        )
    return np.array([str(groups[name]) for name in names])


def column(runs: Sequence[Evaluation], field: str) -> Array:
    """(r, n) of a numeric field; NaN where it is null."""
    return np.stack([run.column(field) for run in runs])


def depths(run: Evaluation) -> Array:
    """(n, b) iterations of each block and RoI layer; NaN of an image without RoIs."""
    layers = [_roi_iterations(record) for record in run.records]
    names = sorted({name for each in layers for name in each})
    found = [
        [*(record.get('iterations_per_block') or record['iterations']), *map(each.get, names)]
        for record, each in zip(run.records, layers, strict=True)
    ]
    return np.array(found, dtype=np.float64)  # None becomes NaN


def static_depth(run: Evaluation) -> Depth | None:
    """The iterations of the run's blocks; None where images (with RoIs) differ."""
    found = depths(run)
    known = np.where(np.isnan(found), np.nanmax(found, axis=0), found)
    return tuple(known[0].tolist()) if (known == known[0]).all() else None


def static_places(own: Array, static: Sequence[Depth | None]) -> tuple[Index | None, str | None]:
    """(n,) the place in ``static`` of each image's own depth, or None and a note that says why."""
    places = {depth: place for place, depth in reversed(list(enumerate(static)))}
    for known in filter(None, places):  # without RoIs an image has no depth of theirs: any serves
        same = np.isnan(own) | (own == known)
        own = np.where(same.all(axis=1, keepdims=True), known, own)
    found = [tuple(depth) for depth in own.tolist()]
    lacking = {depth for depth in found if depth not in places}
    if not lacking:
        return np.array([places[depth] for depth in found]), None
    return None, (
        f'no shuffles: {len(lacking)} of its {len(set(found))} depths were not run on all images, '
        f'such as {written(max(lacking, key=found.count))}'
    )


def written(depth: Depth) -> str:
    """Such as 1/1/3."""
    return '/'.join(f'{n:g}' for n in depth)


def _roi_iterations(record: IterationRecord) -> dict[str, float]:
    """Mean iterations of an image's RoIs in each layer: by its path where there are several."""
    found = record.get('modules') or {'': record}
    means = {name: entry.get('mean_roi_iterations') for name, entry in found.items()}
    return {name: mean for name, mean in means.items() if mean is not None}
