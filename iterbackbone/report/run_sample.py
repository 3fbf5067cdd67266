"""Images with the outcomes, costs and depths that several runs gave them.

Shape legend: r runs, n images, b blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..stats.gain import Progress
from ..stats.run_scores import Array, Index, RunScores
from .aligned_runs import AlignedRuns
from .evaluation import Evaluation
from .run_outcomes import outcomes

Depth = tuple[float, ...]


@dataclass(frozen=True)
class RunSample:
    """What a gain is measured from.

    Attributes:
        scores: Outcomes of r runs on n images.
        costs: (r, n) MACs.
        full_costs: (n,) MACs at full depth.
        depths: Of each run (n, b) iterations.
        sources: (n,) names or numbers.
        keys: ``img_id`` and ``img_path`` of each image.
        left_out: Images without the score.
    """

    scores: RunScores
    costs: Array
    full_costs: Array
    depths: list[Array]
    sources: NDArray
    keys: list[tuple[Any, Any]]
    left_out: int = 0

    @classmethod
    def of(
        cls,
        evaluations: Sequence[Evaluation],
        score: str,
        groups: Mapping[str, Any] | None,
        progress: Progress,
        rest_macs: float = 0.0,
    ) -> RunSample:
        """From the logs; arguments and errors are those of ``measure_evaluations``."""
        runs = AlignedRuns.of(evaluations)
        sources = runs.sources(groups)
        scores, images = outcomes(runs, score, progress)
        keys = runs.keys()
        return cls(
            scores,
            runs.column('macs')[:, images] + rest_macs,
            runs.column('macs_full')[0, images] + rest_macs,
            [runs.depths(run)[images] for run in range(len(evaluations))],
            sources[images],
            [keys[i] for i in images],
            len(keys) - len(images),
        )

    def take(self, runs: Sequence[int], images: Index | None = None) -> RunSample:
        """Some runs, and some images or all."""
        images = np.arange(self.scores.num_images) if images is None else images
        return RunSample(
            self.scores.take(list(runs), images),
            self.costs[list(runs)][:, images],
            self.full_costs[images],
            [self.depths[run][images] for run in runs],
            self.sources[images],
            [self.keys[i] for i in images],
            self.left_out,
        )

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

    def constant_depths(self) -> list[Depth | None]:
        """Of each run the iterations of its blocks; None where images differ."""
        return [tuple(d[0].tolist()) if (d == d[0]).all() else None for d in self.depths]

    def static_runs_of(self, run: int, static: Sequence[int]) -> tuple[Index | None, str | None]:
        """The static run at each image's own depth in another run.

        Returns:
            (n,) places in ``static``, or None and a note that says which depths have no run.
        """
        constant = self.constant_depths()
        places = {constant[i]: place for place, i in reversed(list(enumerate(static)))}
        depths = [tuple(depth) for depth in self.depths[run].tolist()]
        lacking = {depth for depth in depths if depth not in places}
        if not lacking:
            return np.array([places[depth] for depth in depths]), None
        example = max(lacking, key=depths.count)
        return None, (
            f'no shuffles: {len(lacking)} of its {len(set(depths))} depths were not run on all images, '
            f'such as {"/".join(f"{n:g}" for n in example)}'
        )

    def notes(
        self, policies: Sequence[Evaluation], menu: Sequence[Evaluation], score: str
    ) -> list[str]:
        """What a reader of gains over ``menu``, the runs behind ``policies``, must know."""
        notes = []
        if self.left_out:
            total = self.left_out + len(self.keys)
            notes.append(f'{self.left_out} of {total} images have no {score} and are left out')
        for evaluation, depth in zip(menu, self.constant_depths()[len(policies) :], strict=False):
            if depth is None:
                notes.append(f'{evaluation.name} is not static: its iterations differ between images')
        checkpoints = {str(evaluation.meta.get('checkpoint')) for evaluation in [*policies, *menu]}
        if len(checkpoints) > 1:
            notes.append(
                f'the evaluations are of {len(checkpoints)} checkpoints: {sorted(checkpoints)}'
            )
        return notes


def check_same_budgets(
    first: RunSample,
    first_menu: Sequence[Evaluation],
    second: RunSample,
    second_menu: Sequence[Evaluation],
) -> None:
    """Raise ValueError unless two menus are the same static budgets in the same order."""
    depths = first.constant_depths(), second.constant_depths()
    if len(depths[0]) != len(depths[1]):
        raise ValueError(
            f'calibration_menu must hold the {len(depths[1])} budgets of menu, got {len(depths[0])}'
        )
    for i, (one, other) in enumerate(zip(*depths, strict=True)):
        if one != other:
            raise ValueError(
                f'calibration_menu must hold the budgets of menu in its order: {first_menu[i].folder} '
                f'has the iterations {one}, {second_menu[i].folder} {other} (None where images differ)'
            )


def check_apart(
    first: RunSample, first_evaluation: Evaluation, second: RunSample, second_evaluation: Evaluation
) -> None:
    """Raise ValueError where two samples share an image, or a source."""
    datasets = first_evaluation.meta.get('dataset'), second_evaluation.meta.get('dataset')
    shared = {key for key in set(first.keys) & set(second.keys) if key[1] or datasets[0] == datasets[1]}
    if shared:
        raise ValueError(
            f'calibration_menu must be of other images than menu, but shares {len(shared)}, '
            f'such as {min(shared, key=str)[0]!r}'
        )
    sources = set(first.sources.tolist()) & set(second.sources.tolist())
    if sources and first.sources.dtype.kind == 'U':
        raise ValueError(
            f'calibration_menu must be of other source images than menu, but shares {len(sources)}, '
            f'such as {min(sources)!r}'
        )
