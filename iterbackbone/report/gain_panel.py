"""Measured gains, and the report's panel "Does adapting pay?": where on the images they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..log.schema import identity
from ..stats.binning import binned_means
from ..stats.gain import Gain
from ..stats.gain_verdict import verdict
from .aligned_runs import column
from .evaluation import Evaluation
from .measures import Measure

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
    """What :func:`measure_evaluations` found and the panel shows; ``gain.json`` holds these fields."""

    score: str  # its name
    unit: str  # of the gains
    menu: list[StaticBudget]
    policies: list[str]  # their names
    gains: list[Gain]  # of each policy; ``vertices`` are places in ``menu``
    notes: list[str]  # what a reader must know
    fingerprints: list[str]  # of the policies
    verdict: str = ''  # on this training, and on others where it was measured beside them
    by_measure: list[dict[str, Any]] = field(default_factory=list)  # see :func:`by_measure`

    @classmethod
    def read(cls, path: Path) -> MeasuredGains:
        """From a file; ValueError where it is missing or something else."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise ValueError(f'{path} holds no measured gains: {error}') from None


def fingerprint(evaluation: Evaluation) -> str:
    """Of one training's run: SHA-256 over the MACs, iterations and scores of all images, by image."""
    columns = [*map(evaluation.column, TOLD_BY), evaluation.errors]
    values = np.column_stack([*columns, evaluation.iterations])
    names = [repr(identity(record)) for record in evaluation.records]
    order = sorted(range(len(names)), key=names.__getitem__)
    return hashlib.sha256(values[order].tobytes()).hexdigest()


def verdict_of(seeds: Sequence[MeasuredGains]) -> str:
    """The sentence on several trainings; ValueError where their scores differ, or one comes twice."""
    scores = sorted({measured.score for measured in seeds})
    if len(scores) > 1:
        raise ValueError(f'all seeds must be of one score, got {scores}')
    for (k, earlier), (i, measured) in combinations(enumerate(seeds), 2):
        if set(measured.fingerprints) & set(earlier.fingerprints):
            raise ValueError(
                f'seeds must be different trainings, but number {i} ({measured.policies[0]}) '
                f'repeats number {k} ({earlier.policies[0]})'
            )
    return verdict([measured.gains for measured in seeds], seeds[0].unit)


def by_measure(
    measure: Measure, runs: Sequence[Evaluation], gains: Sequence[Gain], costs: Sequence[float]
) -> dict[str, Any]:
    """Bins over the measure: ``depth`` and, of each policy, ``benefit`` and ``iterations``.

    Depth is what full depth adds to the cheapest budget, benefit what the policy adds to its static
    mixture: the error of the image under the one minus that under the other, in points. The runs are
    the policies of the ``gains``, then the menu, of the ``costs``, and others that are not looked at.
    """

    def bins(y: Any) -> list[dict[str, Any]]:
        return [asdict(found) for found in binned_means(x, y, BINS)]

    x, iterations = runs[0].column(measure.field), column(runs, 'total_iterations')
    errors = 100 * np.stack([run.errors for run in runs])
    own, static = np.split(errors, [len(gains)])
    policies = []
    for run, gain in enumerate(gains):
        low, high = static[list(gain.vertices)]
        benefit = (1 - gain.weight) * low + gain.weight * high - own[run]
        policies.append({'benefit': bins(benefit), 'iterations': bins(iterations[run])})
    depth = bins(static[np.argmin(costs)] - static[np.argmax(costs)])
    named = {'field': measure.field, 'label': measure.label, 'log': measure.log}
    return {**named, 'depth': depth, 'policies': policies}
