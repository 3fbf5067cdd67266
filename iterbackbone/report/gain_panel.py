"""Measured gains, and the report's panel "Does adapting pay?": where on the images they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..log.schema import identity
from ..stats.binning import binned_means
from ..stats.gain import Gain
from ..stats.gain_verdict import verdict
from .aligned_runs import AlignedRuns
from .evaluation import Evaluation
from .measures import COUNT, SIZE, Measure, image_errors, present

BINS = 6
TOLD_BY = ('macs', 'total_iterations', 'confidence')  # fields that differ between two trainings


@dataclass(frozen=True)
class StaticBudget:
    """One entry of the menu, on the images that the gains are measured on."""

    name: str  # its iterations, such as '1/1/3'; the evaluation's name where these differ by image
    cost: float  # mean MACs
    share: float  # of those at full depth
    score: float  # in the unit of the gains
    vertex: bool  # whether it is one of the envelope's


@dataclass(frozen=True)
class MeasuredGains:
    """What :func:`measure_evaluations` found; ``gain.json`` holds these fields."""

    score: str  # its name
    unit: str  # of the gains
    menu: list[StaticBudget]
    policies: list[str]  # their names
    gains: list[Gain]  # of each policy; ``vertices`` are places in ``menu``
    notes: list[str]  # what a reader must know
    fingerprints: list[str] = field(default_factory=list)  # of the policies; older files have none

    @classmethod
    def read(cls, path: Path) -> MeasuredGains:
        """From a file; fields it does not know are left alone.

        Raises:
            ValueError: the file is missing or something else.
        """
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise ValueError(f'{path} holds no measured gains: {error}') from None


def fingerprint(evaluation: Evaluation) -> str:
    """SHA-256 over the MACs, iterations and scores of all images, by image: that of one training's run.

    Neither the split of the images nor the seed of a measurement, nor the log's place, order and name
    change it.
    """
    columns = [*map(evaluation.column, TOLD_BY), image_errors(evaluation).values]
    values = np.column_stack([*columns, evaluation.iterations])
    names = [repr(identity(record)) for record in evaluation.records]
    order = sorted(range(len(names)), key=names.__getitem__)
    return hashlib.sha256(values[order].tobytes()).hexdigest()


def verdict_of(seeds: Sequence[MeasuredGains]) -> str:
    """The sentence on several trainings.

    Raises:
        ValueError: they are of different scores, or one is given twice.
    """
    scores = sorted({measured.score for measured in seeds})
    if len(scores) > 1:
        raise ValueError(f'all seeds must be of one score, got {scores}')
    for i, measured in enumerate(seeds):
        for k, earlier in enumerate(seeds[:i]):
            shared = set(measured.fingerprints) & set(earlier.fingerprints)
            if shared or measured.gains == earlier.gains:
                raise ValueError(
                    f'seeds must be different trainings, but number {i} ({_names(measured, shared)}) '
                    f'repeats number {k} ({_names(earlier, shared)})'
                )
    return verdict([measured.gains for measured in seeds], seeds[0].unit)


def _names(measured: MeasuredGains, fingerprints: Collection[str]) -> str:
    """Of the policies with these fingerprints; of all where there are none."""
    known = dict(zip(measured.fingerprints, measured.policies, strict=False))
    return ', '.join(known[each] for each in sorted(fingerprints)) or ', '.join(measured.policies)


@dataclass(frozen=True)
class GainPanel:
    """What the panel shows.

    Attributes:
        measured: Gains of the report's evaluations over the menu.
        sentence: The verdict on this training and the others.
        by_measure: Of the number and the size of objects: ``label``, ``log``, ``depth`` and for
            each policy ``benefit`` and ``iterations``, all bins over the measure. Depth is what
            full depth adds to the cheapest budget, benefit what the policy adds to its static
            mixture: the error of the image under the one minus that under the other, in points.
    """

    measured: MeasuredGains
    sentence: str
    by_measure: list[dict[str, Any]]

    @classmethod
    def of(
        cls,
        policies: Sequence[Evaluation],
        menu: Sequence[Evaluation],
        measured: MeasuredGains,
        others: Sequence[MeasuredGains] = (),
    ) -> GainPanel:
        """From gains of ``policies`` over ``menu``, and those of other trainings."""
        runs = AlignedRuns.of([*policies, *menu])
        by_measure = [
            _by_measure(measure, runs, measured)
            for measure in (COUNT, SIZE)
            if measure in present(policies[0])
        ]
        return cls(measured, verdict_of([measured, *others]), by_measure)

    def as_json(self) -> dict[str, Any]:
        """What ``measure_gain.py`` writes, and the bins."""
        return {**asdict(self.measured), 'verdict': self.sentence, 'by_measure': self.by_measure}


def _by_measure(measure: Measure, runs: AlignedRuns, measured: MeasuredGains) -> dict[str, Any]:
    x = runs.column(measure.field)[0]
    errors = np.stack(
        [100 * image_errors(e).values[row] for e, row in zip(runs.evaluations, runs.rows, strict=True)]
    )
    own, static = np.split(errors, [len(measured.gains)])
    costs = [budget.cost for budget in measured.menu]

    def bins(y: Any) -> list[dict[str, Any]]:
        return [asdict(found) for found in binned_means(x, y, BINS)]

    policies = []
    iterations = runs.column('total_iterations')
    for run, gain in enumerate(measured.gains):
        low, high = (static[vertex] for vertex in gain.vertices)
        mixture = (1 - gain.weight) * low + gain.weight * high
        policies.append({'benefit': bins(mixture - own[run]), 'iterations': bins(iterations[run])})
    depth = bins(static[int(np.argmin(costs))] - static[int(np.argmax(costs))])
    return {
        'field': measure.field,
        'label': measure.label,
        'log': measure.log,
        'depth': depth,
        'policies': policies,
    }
