"""The report's panel "Does adapting pay?": gains, and where on the images they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..stats.binning import binned_means
from .aligned_runs import AlignedRuns
from .evaluation import Evaluation
from .measured_gains import MeasuredGains, verdict_of
from .measures import COUNT, SIZE, Measure, image_errors, present

BINS = 6


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
        return {**self.measured.as_json(), 'verdict': self.sentence, 'by_measure': self.by_measure}


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
