"""Gains of policies over static budgets, from evaluations' logs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..stats.gain import Gain, Progress, envelope, measure
from ..stats.static_mixture import MAX_MENU
from .evaluation import Evaluation
from .gain_panel import MeasuredGains, StaticBudget, fingerprint
from .run_outcomes import default_score, unit_of
from .run_sample import RunSample, check_calibration, written

DIFFERS = 0.1  # points, or percent of another score, from the static outcomes at the policy's depths
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
        groups: The source of each image by ``img_id``, or by ``img_path`` where ids repeat; each image
            is its own if None.
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
    on_menu = static[: len(menu)]
    notes = _notes(sample, score, on_menu)
    if calibration_menu is None:
        calibration, sample = sample.halves(seed)
        calibration = calibration.take(on_menu)
        notes.append(
            f'the envelope was chosen on {calibration.scores.num_images} images, '
            f'the gains are of {sample.scores.num_images} others'
        )
    else:
        calibration = RunSample.of(calibration_menu, score, groups, progress, rest_macs)
        check_calibration(calibration, sample.take(on_menu))
    vertices = envelope(calibration.costs.mean(axis=1), calibration.scores.each())
    gains = []
    for run, policy in enumerate(policies):
        choices, lacking = sample.static_runs_of(run, static)
        runs = [run, *static]
        found = measure(
            sample.scores.take(runs),
            sample.costs[runs],
            vertices=vertices,
            full_cost=sample.full_cost,
            choices=choices,
            groups=sample.sources,
            seed=seed,
            progress=progress,
        )
        gains.append(found)
        if constant := sample.constant_depths[run]:
            lacking = f'all images run {written(constant)} iterations: a static budget, nothing adapts'
        said = [lacking, *_cautions(found, unit_of(score))]
        notes += [f'{policy.name}: {note}' for note in said if note]
    budgets = _budgets(sample.take(on_menu), vertices, sample.full_cost)
    names = [policy.name for policy in policies]
    own = [fingerprint(policy) for policy in policies]
    return MeasuredGains(score, unit_of(score), budgets, names, gains, notes, own)


def _notes(sample: RunSample, score: str, menu: range) -> list[str]:
    """What a reader of gains over the runs ``menu``, which stand behind the policies, must know."""
    evaluations, images = sample.runs.evaluations, sample.scores.num_images
    total, notes = len(evaluations[0].records), []
    if images < total:
        notes.append(f'{total - images} of {total} images have no {score} and are left out')
    for run in menu:
        if sample.constant_depths[run] is None:
            name = evaluations[run].name
            notes.append(f'{name} is not static: its iterations differ between images')
    checkpoints = {str(evaluation.meta.get('checkpoint')) for evaluation in evaluations[: menu.stop]}
    if len(checkpoints) > 1:
        notes.append(f'the evaluations are of {len(checkpoints)} checkpoints: {sorted(checkpoints)}')
    return notes


def _budgets(menu: RunSample, vertices: Sequence[int], full: float) -> list[StaticBudget]:
    costs = menu.costs.mean(axis=1).tolist()
    each = (menu.runs.evaluations, menu.constant_depths, costs, menu.scores.each().tolist())
    return [
        StaticBudget(written(depth) if depth else e.name, cost, cost / full, score, i in vertices)
        for i, (e, depth, cost, score) in enumerate(zip(*each, strict=True))
    ]


def _cautions(found: Gain, unit: str) -> list[str]:
    """Where the shuffles are not quite what they should be."""
    if found.shuffled is None:
        return []
    notes = []
    much = DIFFERS if unit == 'points' else abs(found.score) * DIFFERS / 100
    if abs(found.shuffled.reassembled - found.score) > much:
        notes.append(
            f'it scores {found.score:.4g}, the static outcomes at its depths '
            f'{found.shuffled.reassembled:.4g}: its features differ from those of the static budgets'
        )
    if abs(found.shuffled.cost / found.cost - 1) > COST_DIFFERS:
        notes.append(
            f'its shuffles cost {found.shuffled.cost / found.cost:.1%} of its MACs: image sizes differ'
        )
    return notes
