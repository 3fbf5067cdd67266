"""Several evaluations of the same images and annotations: their costs and depths side by side.

Shape legend: r runs (evaluations), n images, b blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..log.schema import IterationRecord
from ..stats.run_scores import Array, Index
from .evaluation import Evaluation

ANNOTATED = ('label', 'num_objects', 'num_classes')  # fields of a record that annotations tell

Depth = tuple[float, ...]


@dataclass(frozen=True)
class AlignedRuns:
    """The n images that all r evaluations have, in the first one's order."""

    evaluations: Sequence[Evaluation]
    rows: Index  # (r, n) place of each image among the evaluation's records
    key: str  # what tells images apart: 'img_id', 'img_path' where ids repeat

    @classmethod
    def of(cls, evaluations: Sequence[Evaluation]) -> AlignedRuns:
        """Find each image in every evaluation.

        ValueError where an evaluation repeats an image, or two are of other images or networks.
        """
        ids = [[str(record.get('img_id')) for record in e.records] for e in evaluations]
        key = 'img_id' if all(len(set(each)) == len(each) for each in ids) else 'img_path'
        names = [[str(record.get(key)) for record in e.records] for e in evaluations]
        places = [{name: i for i, name in enumerate(each)} for each in names]
        first = evaluations[0]
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
        rows = np.array([[found[name] for name in names[0]] for found in places])
        return cls(evaluations, rows, key)

    def records(self, run: int) -> list[IterationRecord]:
        """(n,) of one run."""
        return [self.evaluations[run].records[i] for i in self.rows[run]]

    def sources(self, groups: Mapping[str, Any] | None) -> NDArray:
        """(n,) the source of each image in ``groups``, by its key, or each its own."""
        if groups is None:
            return np.arange(self.rows.shape[1])
        names = [str(record.get(self.key)) for record in self.records(0)]
        missing = [name for name in names if name not in groups]
        if missing:
            raise ValueError(
                f'groups must name every {self.key}: {len(missing)} lack, such as {missing[0]!r}'
            )
        return np.array([str(groups[name]) for name in names])

    def take(self, images: Index, runs: Sequence[int] | None = None) -> AlignedRuns:
        """Some images of some runs, or of all."""
        runs = range(len(self.rows)) if runs is None else runs
        rows = self.rows[list(runs)][:, images]
        return AlignedRuns([self.evaluations[run] for run in runs], rows, self.key)

    def images(self) -> list[tuple[int, int]]:
        """All r * n pairs of a run and the place of an image among its records."""
        return [(run, int(i)) for run, row in enumerate(self.rows) for i in row]

    def column(self, field: str) -> Array:
        """(r, n) of a numeric field; NaN where it is null."""
        return np.stack(
            [e.column(field)[row] for e, row in zip(self.evaluations, self.rows, strict=True)]
        )

    def check_annotations(self, same: Iterable[bool]) -> None:
        """Raise ValueError unless ``same`` says of all :meth:`images` that they are the first run's."""
        for (run, i), agrees in zip(self.images(), same, strict=True):
            if not agrees:
                evaluation, first = self.evaluations[run], self.evaluations[0]
                raise ValueError(
                    f'{evaluation.folder} and {first.folder} must have the same annotations, but those '
                    f'of image {evaluation.records[i].get("img_id")!r} differ'
                )

    def check_annotated_fields(self) -> None:
        """:meth:`check_annotations` of the records' fields, as far as both runs know them."""
        for field in ANNOTATED:
            values = self.column(field)
            unknown = np.isnan(values) | np.isnan(values[0])
            self.check_annotations((unknown | (values == values[0])).ravel())

    def depths(self, run: int) -> Array:
        """(n, b) iterations of each block and RoI layer; NaN of an image without RoIs."""
        records = self.records(run)
        layers = [_roi_iterations(record) for record in records]
        names = sorted({name for each in layers for name in each})
        depths = [
            [*(record.get('iterations_per_block') or record['iterations']), *map(each.get, names)]
            for record, each in zip(records, layers, strict=True)
        ]
        return np.array(depths, dtype=np.float64)  # None becomes NaN

    def constant_depths(self) -> list[Depth | None]:
        """Of each run the iterations of its blocks; None where images (with RoIs) differ."""
        depths = [self.depths(run) for run in range(len(self.evaluations))]
        known = [np.where(np.isnan(d), np.nanmax(d, axis=0), d) for d in depths]
        return [tuple(d[0].tolist()) if (d == d[0]).all() else None for d in known]


def _roi_iterations(record: IterationRecord) -> dict[str, float]:
    """Mean iterations of an image's RoIs in each layer: by its path where there are several."""
    found = record.get('modules') or {'': record}
    means = {name: entry.get('mean_roi_iterations') for name, entry in found.items()}
    return {name: mean for name, mean in means.items() if mean is not None}
