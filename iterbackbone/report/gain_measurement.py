"""Gains of policies over static budgets, from evaluations' logs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..stats.gain import Gain, Progress, envelope, measure
from ..stats.static_mixture import MAX_MENU
from .evaluation import Evaluation
from .measured_gains import MeasuredGains, StaticBudget
from .run_outcomes import default_score, unit_of
from .run_sample import Depth, RunSample, check_apart, check_same_budgets

DIFFERS = 0.1  # of a score in points, from that of the static outcomes at the policy's depths
COST_DIFFERS = 1e-3  # relative


def measure_evaluations(
    policies: Sequence[Evaluation],
    menu: Sequence[Evaluation],
    *,
    calibration_menu: Sequence[Evaluation] | None = None,
    more_static: Sequence[Evaluation] = (),
    groups: Mapping[str, Any] | None = None,
    score: str | None = None,
    rest_macs: float = 0.0,
    seed: int = 0,
    progress: Progress = iter,
) -> MeasuredGains:
    """Measure what policies gain over the static budgets of the same network.

    Args:
        policies: One or more, each at its own mean cost.
        menu: 2 to ``MAX_MENU`` static budgets on the same images.
        calibration_menu: The same budgets, in the same order, on other images. If None, a random
            half of the sources chooses the vertices and the gains are those of the other half.
        more_static: Evaluations at further constant depths, for the shuffles only.
        groups: The source of each image by ``img_id``; each image is its own if None.
        score: See :func:`~iterbackbone.report.run_outcomes.outcomes`; that of the task
            if None.
        rest_macs: MACs an image of what no budget changes, such as neck and head. The log does not
            hold them; they move the shares and leave the gains as they are.
        seed: Of the split and the resamples.
        progress: Wraps the images that are read and the batches of resamples, such as tqdm.

    Raises:
        ValueError: evaluations that cannot be compared, or as
            :func:`~iterbackbone.stats.gain.measure`.
    """
    if not policies or not 2 <= len(menu) <= MAX_MENU:
        raise ValueError(
            f'policies must be at least 1 and menu 2 to {MAX_MENU} static budgets, '
            f'got {len(policies)} and {len(menu)}'
        )
    if not 0 <= rest_macs < math.inf:
        raise ValueError(f'rest_macs must be finite and not negative, got {rest_macs}')
    score = score or default_score(menu[0])
    sample = RunSample.of([*policies, *menu, *more_static], score, groups, progress, rest_macs)
    static = range(len(policies), sample.scores.num_runs)
    notes = sample.notes(policies, menu, score)
    if calibration_menu is None:
        calibration, sample = sample.halves(seed)
        calibration = calibration.take(static[: len(menu)])
        notes.append(
            f'the envelope was chosen on {calibration.scores.num_images} images, '
            f'the gains are of {sample.scores.num_images} others'
        )
    else:
        calibration = RunSample.of(calibration_menu, score, groups, progress, rest_macs)
        check_same_budgets(calibration, calibration_menu, sample.take(static[: len(menu)]), menu)
        check_apart(calibration, calibration_menu[0], sample, menu[0])
    vertices = envelope(calibration.costs.mean(axis=1), calibration.scores.each())
    gains = []
    for run, policy in enumerate(policies):
        choices, lacking = sample.static_runs_of(run, static)
        part = sample.take([run, *static])
        found = measure(
            part.scores,
            part.costs,
            vertices=vertices,
            full_cost=float(sample.full_costs.mean()),
            choices=choices,
            groups=sample.sources,
            seed=seed,
            progress=progress,
        )
        gains.append(found)
        if constant := part.constant_depths()[0]:
            lacking = f'all images run {_written(constant)} iterations: a static budget, nothing adapts'
        notes += [f'{policy.name}: {note}' for note in [lacking, *_cautions(found)] if note]
    budgets = _budgets(sample.take(static[: len(menu)]), menu, vertices)
    names = [policy.name for policy in policies]
    return MeasuredGains(score, unit_of(score), budgets, names, gains, notes)


def _budgets(
    sample: RunSample, menu: Sequence[Evaluation], vertices: Sequence[int]
) -> list[StaticBudget]:
    costs, scores = sample.costs.mean(axis=1), sample.scores.each()
    full = sample.full_costs.mean()
    return [
        StaticBudget(
            _written(depth) if depth else menu[i].name,
            float(costs[i]),
            float(costs[i] / full),
            float(scores[i]),
            i in vertices,
        )
        for i, depth in enumerate(sample.constant_depths())
    ]


def _written(depth: Depth) -> str:
    return '/'.join(f'{n:g}' for n in depth)


def _cautions(found: Gain) -> list[str]:
    """Where the shuffles are not quite what they should be."""
    if found.shuffled is None:
        return []
    notes = []
    if abs(found.shuffled.reassembled - found.score) > DIFFERS:
        notes.append(
            f'it scores {found.score:.2f}, the static outcomes at its depths '
            f'{found.shuffled.reassembled:.2f}: its features differ from those of the static budgets'
        )
    if abs(found.shuffled.cost / found.cost - 1) > COST_DIFFERS:
        notes.append(
            f'its shuffles cost {found.shuffled.cost / found.cost:.1%} of its MACs: image sizes differ'
        )
    return notes
