"""Gains of policies over static budgets, from evaluations' logs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..log.schema import identity
from ..stats.gain import Gain, Progress, envelope, measure
from ..stats.run_scores import Index, RunScores
from ..stats.static_mixture import MAX_MENU
from .aligned_runs import Depth, aligned, column, depths, sources, static_depth, static_places, written
from .evaluation import Evaluation
from .gain_panel import MeasuredGains, StaticBudget, by_measure, fingerprint, verdict_of
from .measures import COUNT, SIZE, present
from .run_outcomes import default_score, outcomes, unit_of

DIFFERS = 0.1  # points, or percent of another score, from the static outcomes at the policy's depths
COST_DIFFERS = 1e-3  # relative


def measure_evaluations(
    policies: Sequence[Evaluation],
    menu: Sequence[Evaluation],
    *,
    calibration_menu: Sequence[Evaluation] | None = None,
    more_static: Sequence[Evaluation] = (),
    other_seeds: Sequence[MeasuredGains] = (),
    groups: Mapping[str, Any] | None = None,
    score: str | None = None,
    rest_macs: float = 0.0,
    seed: int = 0,
    progress: Progress = iter,
) -> MeasuredGains:
    """What policies gain over 2 to ``MAX_MENU`` static budgets of the same network and images.

    Args:
        policies: One or more, each at its own mean cost.
        menu: The static budgets.
        calibration_menu: The same budgets, in the same order, on other images. If None, a random
            half of the sources chooses the vertices and the gains are those of the other half.
        more_static: Evaluations at further constant depths, for the shuffles only.
        other_seeds: Gains of other trainings, on which the verdict is, too.
        groups: The source of each image by ``img_id``, or by ``img_path`` where ids repeat.
        score: See :func:`~iterbackbone.report.run_outcomes.outcomes`; by default the task's.
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
    runs = aligned([*policies, *menu, *more_static])
    constant, source = [static_depth(run) for run in runs], sources(runs, groups)
    static = range(len(policies), len(runs))
    on_menu = static[: len(menu)]
    notes = _notes(runs[: on_menu.stop], constant, on_menu)
    images = np.arange(len(source))
    if calibration_menu is None:
        chosen, images = _halves(source, seed)
        calibration = [runs[run].take(chosen) for run in on_menu]
        notes.append(
            f'the envelope was chosen on {len(chosen)} images, the gains are of {len(images)} others'
        )
    else:
        calibration = aligned(calibration_menu)
        _check_calibration(calibration, runs, [constant[run] for run in on_menu], groups)
    scores, known = _outcomes(calibration, score, progress, notes)
    vertices = envelope(column(calibration, 'macs')[:, known].mean(axis=1), scores.each())
    scores, known = _outcomes([run.take(images) for run in runs], score, progress, notes)
    known = images[known]
    costs = column(runs, 'macs')[:, known] + rest_macs
    # At full depth by the dearest run: a cheap one may find other regions.
    dearest = runs[costs.mean(axis=1).argmax()]
    full = float(dearest.column('macs_full')[known].mean()) + rest_macs
    options = dict(vertices=vertices, full_cost=full, groups=source[known], seed=seed)
    gains = []
    for run, policy in enumerate(policies):
        choices, said = static_places(depths(runs[run])[known], [constant[i] for i in static])
        own, macs = scores.take([run, *static]), costs[[run, *static]]
        gains.append(measure(own, macs, choices=choices, progress=progress, **options))
        if depth := constant[run]:
            said = f'all images run {written(depth)} iterations: a static budget, nothing adapts'
        said = [said, *_cautions(gains[-1], unit_of(score))]
        notes += [f'{policy.name}: {note}' for note in said if note]
    means, each = costs.mean(axis=1).tolist(), scores.each().tolist()
    called = [written(depth) if depth else run.name for depth, run in zip(constant, runs, strict=True)]
    budgets = [
        StaticBudget(called[run], means[run], means[run] / full, each[run], place in vertices)
        for place, run in enumerate(on_menu)
    ]
    names = [policy.name for policy in policies]
    own = [fingerprint(policy) for policy in policies]
    shown = [measure for measure in (COUNT, SIZE) if measure in present(policies[0])]
    bins = [by_measure(m, runs, gains, [means[run] for run in on_menu]) for m in shown]
    found = MeasuredGains(score, unit_of(score), budgets, names, gains, notes, own, by_measure=bins)
    return replace(found, verdict=verdict_of([found, *other_seeds]))


def _outcomes(
    runs: Sequence[Evaluation], score: str, progress: Progress, notes: list[str]
) -> tuple[RunScores, Index]:
    """As :func:`outcomes`; a note says how many images have none."""
    scores, known = outcomes(runs, score, progress)
    total = len(runs[0].records)
    if len(known) < total:
        notes.append(f'{total - len(known)} of {total} images have no {score} and are left out')
    return scores, known


def _halves(sources: NDArray, seed: int) -> tuple[Index, Index]:
    """The images of two halves that share no source."""
    names, members = np.unique(sources, return_inverse=True)
    if len(names) < 4:
        raise ValueError(f'a split needs 4 source images or more, got {len(names)}')
    first = np.random.default_rng(seed).permutation(len(names)) < len(names) // 2
    return np.flatnonzero(first[members]), np.flatnonzero(~first[members])


def _check_calibration(
    calibration: Sequence[Evaluation],
    menu: Sequence[Evaluation],
    expected: Sequence[Depth | None],
    groups: Mapping[str, Any] | None,
) -> None:
    """Raise ValueError unless these are budgets of the ``expected`` depths on other images."""
    known = [static_depth(run) for run in calibration]
    if known != expected:
        raise ValueError(
            f'calibration_menu must hold the {len(expected)} budgets of menu in its order, of the '
            f'iterations {expected}, got {known} (None where images differ)'
        )
    data = [runs[0].meta.get('dataset') for runs in (calibration, menu)]
    own, other = (set(map(identity, runs[0].records)) for runs in (calibration, menu))
    shared: set[Any] = {key for key in own & other if key[1] or data[0] == data[1]}
    if groups is not None:
        shared |= set(sources(calibration, groups)) & set(sources(menu, groups))
    if shared:
        raise ValueError(
            f'calibration_menu must be of other source images than menu, but shares {len(shared)}, '
            f'such as {str(min(shared, key=str))!r}'
        )


def _notes(
    runs: Sequence[Evaluation], constant: Sequence[Depth | None], menu: Sequence[int]
) -> list[str]:
    """What a reader of gains over the ``menu``, places of runs, must know."""
    names = [runs[run].name for run in menu if constant[run] is None]
    notes = [f'{name} is not static: its iterations differ between images' for name in names]
    checkpoints = {str(run.meta.get('checkpoint')) for run in runs}
    if len(checkpoints) > 1:
        notes.append(f'the evaluations are of {len(checkpoints)} checkpoints: {sorted(checkpoints)}')
    return notes


def _cautions(found: Gain, unit: str) -> list[str]:
    """Where the shuffles are not quite what they should be."""
    notes, shuffled = [], found.shuffled
    if shuffled is None:
        return notes
    much = DIFFERS if unit == 'points' else abs(found.score) * DIFFERS / 100
    if abs(shuffled.reassembled - found.score) > much:
        notes.append(
            f'it scores {found.score:.4g}, the static outcomes at its depths '
            f'{shuffled.reassembled:.4g}: its features differ from those of the static budgets'
        )
    share = shuffled.cost / found.cost
    if abs(share - 1) > COST_DIFFERS:
        notes.append(f'its shuffles cost {share:.1%} of its MACs: image sizes differ')
    return notes
