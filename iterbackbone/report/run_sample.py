"""Images with the outcomes, costs and depths that several runs gave them.

Shape legend: r runs, n images, b blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..stats.gain import Progress
from ..stats.run_scores import ALL, Array, Images, Index, RunScores
from .aligned_runs import AlignedRuns
from .evaluation import Evaluation
from .run_outcomes import outcomes

Depth = tuple[float, ...]


@dataclass(frozen=True)
class RunSample:
    """What a gain is measured from."""

    runs: AlignedRuns
    scores: RunScores  # their outcomes
    sources: NDArray  # (n,) names or numbers
    rest_macs: float  # of an image, beside those in the log

    @classmethod
    def of(
        cls,
        evaluations: Sequence[Evaluation],
        score: str,
        groups: Mapping[str, Any] | None,
        progress: Progress,
        rest_macs: float,
    ) -> RunSample:
        """From the logs; arguments and errors are those of ``measure_evaluations``."""
        runs = AlignedRuns.of(evaluations)
        sources = runs.sources(groups)
        scores, images = outcomes(runs, score, progress)
        return cls(runs.take(range(len(evaluations)), images), scores, sources[images], rest_macs)

    def take(self, runs: Sequence[int], images: Images = ALL) -> RunSample:
        """Some runs, and some images or all."""
        scores = self.scores.take(runs, images)
        return RunSample(self.runs.take(runs, images), scores, self.sources[images], self.rest_macs)

    @cached_property
    def costs(self) -> Array:
        """(r, n) MACs."""
        return self.runs.column('macs') + self.rest_macs

    @cached_property
    def full_cost(self) -> float:
        """Mean MACs at full depth, by the dearest run: a cheap one may find other regions."""
        dearest = self.costs.mean(axis=1).argmax()
        return float(self.runs.column('macs_full')[dearest].mean()) + self.rest_macs

    def halves(self, seed: int) -> tuple[RunSample, RunSample]:
        """Two samples that share no source.

        Raises:
            ValueError: there are fewer than 4 sources.
        """
        names, members = np.unique(self.sources, return_inverse=True)
        if len(names) < 4:
            raise ValueError(f'a split needs 4 source images or more, got {len(names)}')
        first = np.random.default_rng(seed).permutation(len(names)) < len(names) // 2
        runs = range(self.scores.num_runs)
        parts = (np.flatnonzero(first[members]), np.flatnonzero(~first[members]))
        return self.take(runs, parts[0]), self.take(runs, parts[1])

    @cached_property
    def constant_depths(self) -> list[Depth | None]:
        """Of each run the iterations of its blocks; None where images differ."""
        depths = [self.runs.depths(run) for run in range(self.scores.num_runs)]
        known = [np.where(np.isnan(d), np.nanmax(d, axis=0), d) for d in depths]
        return [tuple(d[0].tolist()) if (d == d[0]).all() else None for d in known]

    def static_runs_of(self, run: int, static: Sequence[int]) -> tuple[Index | None, str | None]:
        """The static run at each image's own depth in another run.

        Returns:
            (n,) places in ``static``, or None and a note that says which depths have no run.
        """
        places = {self.constant_depths[i]: place for place, i in reversed(list(enumerate(static)))}
        depths = self.runs.depths(run)
        for known in filter(None, places):  # without RoIs an image has no depth of theirs: any serves
            same = np.isnan(depths) | (depths == known)
            depths = np.where(same.all(axis=1, keepdims=True), known, depths)
        depths = [tuple(depth) for depth in depths.tolist()]
        lacking = {depth for depth in depths if depth not in places}
        if not lacking:
            return np.array([places[depth] for depth in depths]), None
        return None, (
            f'no shuffles: {len(lacking)} of its {len(set(depths))} depths were not run on all images, '
            f'such as {written(max(lacking, key=depths.count))}'
        )


def written(depth: Depth) -> str:
    """Such as 1/1/3."""
    return '/'.join(f'{n:g}' for n in depth)


def check_calibration(calibration: RunSample, menu: RunSample) -> None:
    """Raise ValueError unless these are the same static budgets, in the same order, on other images."""
    known, wanted = calibration.constant_depths, menu.constant_depths
    if len(known) != len(wanted):
        raise ValueError(
            f'calibration_menu must hold the {len(wanted)} budgets of menu, got {len(known)}'
        )
    for i, (one, other) in enumerate(zip(known, wanted, strict=True)):
        if one != other:
            folders = [sample.runs.evaluations[i].folder for sample in (calibration, menu)]
            raise ValueError(
                f'calibration_menu must hold the budgets of menu in its order: {folders[0]} '
                f'has the iterations {one}, {folders[1]} {other} (None where images differ)'
            )
    datasets = [sample.runs.evaluations[0].meta.get('dataset') for sample in (calibration, menu)]
    shared = set(calibration.runs.keys()) & set(menu.runs.keys())
    shared = {key for key in shared if key[1] or datasets[0] == datasets[1]}
    if shared:
        raise ValueError(
            f'calibration_menu must be of other images than menu, but shares {len(shared)}, '
            f'such as {min(shared, key=str)[0]!r}'
        )
    sources = set(calibration.sources.tolist()) & set(menu.sources.tolist())
    if sources and calibration.sources.dtype.kind == 'U':
        raise ValueError(
            f'calibration_menu must be of other source images than menu, but shares {len(sources)}, '
            f'such as {min(sources)!r}'
        )
