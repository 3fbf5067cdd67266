"""Gains of policies over static budgets, from evaluations' logs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..log.schema import identity
from ..stats.gain import Gain, Progress, envelope, measure
from ..stats.run_scores import Array, Index, RunScores
from ..stats.static_mixture import MAX_MENU
from .aligned_runs import AlignedRuns, Depth
from .evaluation import Evaluation
from .gain_panel import MeasuredGains, StaticBudget, fingerprint
from .run_outcomes import default_score, outcomes, unit_of

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
    """What policies gain over 2 to ``MAX_MENU`` static budgets of the same network and images.

    Args:
        policies: One or more, each at its own mean cost.
        menu: The static budgets.
        calibration_menu: The same budgets, in the same order, on other images. If None, a random
            half of the sources chooses the vertices and the gains are those of the other half.
        more_static: Evaluations at further constant depths, for the shuffles only.
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
    runs = AlignedRuns.of([*policies, *menu, *more_static])
    constant = runs.constant_depths()
    static = range(len(policies), len(constant))
    on_menu = static[: len(menu)]
    notes = _notes(runs, constant, on_menu)
    if calibration_menu is None:
        chosen, others = _halves(runs.sources(groups), seed)
        calibration, runs = runs.take(chosen, on_menu), runs.take(others)
        notes.append(
            f'the envelope was chosen on {len(chosen)} images, the gains are of {len(others)} others'
        )
    else:
        calibration = AlignedRuns.of(calibration_menu)
        _check_calibration(calibration, runs, [constant[run] for run in on_menu], groups)
    scores, calibration = _outcomes(calibration, score, progress, notes)
    vertices = envelope(calibration.column('macs').mean(axis=1), scores.each())
    scores, runs = _outcomes(runs, score, progress, notes)
    costs = runs.column('macs') + rest_macs
    # At full depth by the dearest run: a cheap one may find other regions.
    full = float(runs.column('macs_full')[costs.mean(axis=1).argmax()].mean()) + rest_macs
    options = dict(vertices=vertices, full_cost=full, groups=runs.sources(groups), seed=seed)
    gains = []
    for run, policy in enumerate(policies):
        choices, said = static_places(runs.depths(run), [constant[i] for i in static])
        own, macs = scores.take([run, *static]), costs[[run, *static]]
        gains.append(measure(own, macs, choices=choices, progress=progress, **options))
        if depth := constant[run]:
            said = f'all images run {written(depth)} iterations: a static budget, nothing adapts'
        said = [said, *_cautions(gains[-1], unit_of(score))]
        notes += [f'{policy.name}: {note}' for note in said if note]
    means, each = costs.mean(axis=1).tolist(), scores.each().tolist()
    budgets = []
    for place, run in enumerate(on_menu):
        name = written(constant[run]) if constant[run] else menu[place].name
        share, on_envelope = means[run] / full, place in vertices
        budgets.append(StaticBudget(name, means[run], share, each[run], on_envelope))
    names = [policy.name for policy in policies]
    own = [fingerprint(policy) for policy in policies]
    return MeasuredGains(score, unit_of(score), budgets, names, gains, notes, own)


def static_places(depths: Array, static: Sequence[Depth | None]) -> tuple[Index | None, str | None]:
    """(n,) the place in ``static`` of each image's own depth, or None and a note that says why."""
    places = {depth: place for place, depth in reversed(list(enumerate(static)))}
    for known in filter(None, places):  # without RoIs an image has no depth of theirs: any serves
        same = np.isnan(depths) | (depths == known)
        depths = np.where(same.all(axis=1, keepdims=True), known, depths)
    found = [tuple(depth) for depth in depths.tolist()]
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


def _outcomes(
    runs: AlignedRuns, score: str, progress: Progress, notes: list[str]
) -> tuple[RunScores, AlignedRuns]:
    """The outcomes, and the runs of the images that have one; a note says how many have none."""
    scores, known = outcomes(runs, score, progress)
    total = runs.rows.shape[1]
    if len(known) < total:
        notes.append(f'{total - len(known)} of {total} images have no {score} and are left out')
    return scores, runs.take(known)


def _halves(sources: NDArray, seed: int) -> tuple[Index, Index]:
    """The images of two halves that share no source."""
    names, members = np.unique(sources, return_inverse=True)
    if len(names) < 4:
        raise ValueError(f'a split needs 4 source images or more, got {len(names)}')
    first = np.random.default_rng(seed).permutation(len(names)) < len(names) // 2
    return np.flatnonzero(first[members]), np.flatnonzero(~first[members])


def _check_calibration(
    calibration: AlignedRuns,
    menu: AlignedRuns,
    depths: Sequence[Depth | None],
    groups: Mapping[str, Any] | None,
) -> None:
    """Raise ValueError unless these are budgets of the menu's ``depths`` on other images."""
    known = calibration.constant_depths()
    if known != depths:
        raise ValueError(
            f'calibration_menu must hold the {len(depths)} budgets of menu in its order, of the '
            f'iterations {depths}, got {known} (None where images differ)'
        )
    data = [runs.evaluations[0].meta.get('dataset') for runs in (calibration, menu)]
    own, other = (set(map(identity, runs.records(0))) for runs in (calibration, menu))
    shared: set[Any] = {key for key in own & other if key[1] or data[0] == data[1]}
    if groups is not None:
        shared |= set(calibration.sources(groups)) & set(menu.sources(groups))
    if shared:
        raise ValueError(
            f'calibration_menu must be of other source images than menu, but shares {len(shared)}, '
            f'such as {str(min(shared, key=str))!r}'
        )


def _notes(runs: AlignedRuns, constant: Sequence[Depth | None], menu: Sequence[int]) -> list[str]:
    """What a reader of gains over the runs ``menu``, which stand behind the policies, must know."""
    names = [runs.evaluations[run].name for run in menu if constant[run] is None]
    notes = [f'{name} is not static: its iterations differ between images' for name in names]
    shown = runs.evaluations[: menu[-1] + 1]
    checkpoints = {str(evaluation.meta.get('checkpoint')) for evaluation in shown}
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
