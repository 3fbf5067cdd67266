"""Gains of policies over static budgets, from evaluations' logs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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
    sample = _sample([*policies, *menu, *more_static], score, groups, progress)
    constant = sample.runs.constant_depths()
    static = range(len(policies), len(constant))
    on_menu = static[: len(menu)]
    notes = _notes(sample.runs, score, constant, on_menu)
    if calibration_menu is None:
        calibration, sample = _halves(sample, seed)
        vertices = _vertices(calibration, on_menu)
        notes.append(
            f'the envelope was chosen on {calibration.scores.num_images} images, '
            f'the gains are of {sample.scores.num_images} others'
        )
    else:
        calibration = _sample(calibration_menu, score, groups, progress)
        _check_calibration(calibration, sample, [constant[run] for run in on_menu])
        vertices = _vertices(calibration, range(len(menu)))
    costs = sample.runs.column('macs') + rest_macs
    # At full depth by the dearest run: a cheap one may find other regions.
    full = float(sample.runs.column('macs_full')[costs.mean(axis=1).argmax()].mean()) + rest_macs
    options = dict(vertices=vertices, full_cost=full, groups=sample.sources, seed=seed)
    gains = []
    for run, policy in enumerate(policies):
        choices, said = static_places(sample.runs.depths(run), [constant[i] for i in static])
        scores, macs = sample.scores.take([run, *static]), costs[[run, *static]]
        gains.append(measure(scores, macs, choices=choices, progress=progress, **options))
        if depth := constant[run]:
            said = f'all images run {written(depth)} iterations: a static budget, nothing adapts'
        said = [said, *_cautions(gains[-1], unit_of(score))]
        notes += [f'{policy.name}: {note}' for note in said if note]
    means, each = costs.mean(axis=1).tolist(), sample.scores.each().tolist()
    budgets = []
    for place, run in enumerate(on_menu):
        name = written(constant[run]) if constant[run] else menu[place].name
        share, on_envelope = means[run] / full, place in vertices
        budgets.append(StaticBudget(name, means[run], share, each[run], on_envelope))
    names = [policy.name for policy in policies]
    own = [fingerprint(policy) for policy in policies]
    return MeasuredGains(score, unit_of(score), budgets, names, gains, notes, own)


class _Sample(NamedTuple):
    """What a gain is measured from."""

    runs: AlignedRuns
    scores: RunScores
    sources: NDArray  # (n,) names or numbers

    def take(self, images: Index) -> _Sample:
        scores = self.scores.take(range(self.scores.num_runs), images)
        return _Sample(self.runs.take(images), scores, self.sources[images])


def _sample(
    evaluations: Sequence[Evaluation],
    score: str,
    groups: Mapping[str, Any] | None,
    progress: Progress,
) -> _Sample:
    runs = AlignedRuns.of(evaluations)
    scores, images = outcomes(runs, score, progress)
    runs = runs.take(images)
    return _Sample(runs, scores, runs.sources(groups))


def _halves(sample: _Sample, seed: int) -> tuple[_Sample, _Sample]:
    """Two samples that share no source."""
    names, members = np.unique(sample.sources, return_inverse=True)
    if len(names) < 4:
        raise ValueError(f'a split needs 4 source images or more, got {len(names)}')
    first = np.random.default_rng(seed).permutation(len(names)) < len(names) // 2
    return sample.take(np.flatnonzero(first[members])), sample.take(np.flatnonzero(~first[members]))


def _vertices(sample: _Sample, menu: Sequence[int]) -> list[int]:
    costs = sample.runs.column('macs')[menu].mean(axis=1)
    return envelope(costs, sample.scores.take(menu).each())


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


def _check_calibration(calibration: _Sample, menu: _Sample, depths: Sequence[Depth | None]) -> None:
    """Raise ValueError unless these are budgets of the menu's ``depths`` on other images."""
    known = calibration.runs.constant_depths()
    if known != depths:
        raise ValueError(
            f'calibration_menu must hold the {len(depths)} budgets of menu in its order, of the '
            f'iterations {depths}, got {known} (None where images differ)'
        )
    data = [sample.runs.evaluations[0].meta.get('dataset') for sample in (calibration, menu)]
    own, other = (set(map(identity, sample.runs.records(0))) for sample in (calibration, menu))
    shared: set[Any] = {key for key in own & other if key[1] or data[0] == data[1]}
    if calibration.sources.dtype.kind == 'U':
        shared |= set(calibration.sources.tolist()) & set(menu.sources.tolist())
    if shared:
        raise ValueError(
            f'calibration_menu must be of other source images than menu, but shares {len(shared)}, '
            f'such as {min(shared, key=str)!r}'
        )


def _notes(
    runs: AlignedRuns, score: str, constant: Sequence[Depth | None], menu: Sequence[int]
) -> list[str]:
    """What a reader of gains over the runs ``menu``, which stand behind the policies, must know."""
    images, total, notes = runs.rows.shape[1], len(runs.evaluations[0].records), []
    if images < total:
        notes.append(f'{total - images} of {total} images have no {score} and are left out')
    for run in menu:
        if constant[run] is None:
            name = runs.evaluations[run].name
            notes.append(f'{name} is not static: its iterations differ between images')
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
